# Writes the header that names the git revision of SOURCE; only when it changes, so that nothing is
# compiled again without need. Called with -DSOURCE=... -DHEADER=... at every build.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
                OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                RESULT_VARIABLE failed)
if(failed)
  set(revision unknown)
endif()
file(CONFIGURE OUTPUT ${HEADER} CONTENT "#define MOBILEONE_REVISION \"${revision}\"\n")
