# `cmake --install`: the program, headers, one static library a folder, and a package for
# find_package(mobileone), whose target is mobileone::mobileone.
include(CMakePackageConfigHelpers)
set(MOBILEONE_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/mobileone)

install(TARGETS mobileone_program)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_SOURCE_DIR}/share/imagenet_classes.txt
        DESTINATION ${CMAKE_INSTALL_DATADIR}/mobileone)
install(TARGETS mobileone mobileone_flags EXPORT mobileoneTargets)
install(EXPORT mobileoneTargets NAMESPACE mobileone:: DESTINATION ${MOBILEONE_PACKAGE_DIR})

configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/mobileoneConfig.cmake.in ${PROJECT_BINARY_DIR}/mobileoneConfig.cmake
  INSTALL_DESTINATION ${MOBILEONE_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mobileoneConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mobileoneConfig.cmake
              ${PROJECT_BINARY_DIR}/mobileoneConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/third_party/Dependencies.cmake
              ${PROJECT_SOURCE_DIR}/third_party/FindOpenCV.cmake
        DESTINATION ${MOBILEONE_PACKAGE_DIR})
