# Run once a test program is built: writes FILE for ctest, in which each suite of PROGRAM is a test,
# since a process for each single case would spend most of its time on loading LibTorch.
# cmake -DPROGRAM=... -DPREFIX=... -DLONG=... -DFILE=... -P TestSuites.cmake
cmake_minimum_required(VERSION 3.22)
execute_process(COMMAND ${PROGRAM} --gtest_list_tests OUTPUT_VARIABLE listed
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n[^ \n]+\\." suites "\n${listed}")
set(tests "")
foreach(suite ${suites})
  string(REGEX REPLACE "^\n(.*)\\.$" "\\1" suite "${suite}")
  if("${PREFIX}.${suite}" IN_LIST LONG)
    set(properties "LABELS long COST 100")
  else()
    set(properties "LABELS quick")
  endif()
  # A suite all of whose cases are skipped counts as skipped; failures would stand behind these.
  string(APPEND tests
    "add_test([=[${PREFIX}.${suite}]=] [=[${PROGRAM}]=] [=[--gtest_filter=${suite}.*]=])\n"
    "set_tests_properties([=[${PREFIX}.${suite}]=] PROPERTIES ${properties} TIMEOUT 600\n"
    "  ENVIRONMENT OMP_NUM_THREADS=1\n"  # ctest runs tests side by side
    "  SKIP_REGULAR_EXPRESSION [=[PASSED  \\] 0 tests\\.\n(\\[  SKIPPED \\] [^\n]*\n)+$]=])\n")
endforeach()
file(WRITE ${FILE} "${tests}")
