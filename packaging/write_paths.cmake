# Writes TO with the content of FROM, which names our files where they are on Linux, as a build with
# MCASTD_CONFIG_DIRECTORY and MCASTD_RUN_DIRECTORY names them. Included, or run by cmake -P.
file(READ ${FROM} text)
string(REGEX REPLACE "([ \"])/etc/(mcastd.conf|smcroute.conf| Ns Ar name)"
  "\\1${MCASTD_CONFIG_DIRECTORY}/\\2" text "${text}")
string(REGEX REPLACE "([ \"])/run/" "\\1${MCASTD_RUN_DIRECTORY}/" text "${text}")
file(WRITE ${TO} "${text}")
