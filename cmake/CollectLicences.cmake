# Copies into ${licences} what Debian's packages say of the licences of their files: of the headers that
# are compiled into the program, or (component `libraries`) of the libraries in ${libraries}.
set(packages libcli11-dev libfmt-dev libgloo-dev libhwy-dev libprotozero-dev libspdlog-dev
             nlohmann-json3-dev)
if(component STREQUAL "libraries")
  set(packages "")
  file(GLOB files RELATIVE "${libraries}" "${libraries}/*")
  foreach(name IN LISTS files)
    execute_process(COMMAND dpkg-query -S "*/${name}" OUTPUT_VARIABLE owners ERROR_QUIET)
    if(owners MATCHES "^([^:,]+)")  # LibTorch's have no owner
      list(APPEND packages ${CMAKE_MATCH_1})
    endif()
  endforeach()
endif()
list(REMOVE_DUPLICATES packages)
foreach(package IN LISTS packages)
  if(EXISTS /usr/share/doc/${package}/copyright)
    file(COPY /usr/share/doc/${package}/copyright DESTINATION "${licences}/${package}"
         FOLLOW_SYMLINK_CHAIN)
  else()
    message(WARNING "No licence was found for ${package}: add it to ${licences} before you pass "
                    "the result on.")
  endif()
endforeach()
