# What `cmake --install` puts where: programs, headers, libraries, and the package adwpnas, which
# find_package(adwpnas) finds. examples/own_operator is a project that stands on it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/adwpnas)

# Everything that a project of its own may stand on; adwpnas::engine is the engine with the devices of this build.
set(installed adwp_options adwp_framework adwp_data adwp_nas)
add_library(adwp_engine INTERFACE)
target_link_libraries(adwp_engine INTERFACE adwp_framework)
foreach(device cpu emulated cuda)
  if(TARGET adwp_${device})
    list(APPEND installed adwp_${device})
    target_link_libraries(adwp_engine INTERFACE adwp_${device})
  endif()
endforeach()
if(TARGET adwp_emulation)
  list(APPEND installed adwp_emulation)
endif()
list(APPEND installed adwp_engine)
foreach(target ${installed})
  string(REPLACE adwp_ "" name ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
endforeach()

install(TARGETS ${installed} EXPORT adwpnas ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/adwpnas)
install(EXPORT adwpnas NAMESPACE adwpnas:: DESTINATION ${package_folder} FILE adwpnasTargets.cmake)
install(TARGETS search train export classify inspect report RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} OPTIONAL)
if(TARGET adwp_mpi)  # which programs look for beside themselves
  install(TARGETS adwp_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_BINDIR} OPTIONAL)
endif()
foreach(folder framework cpu cuda data nas)
  install(DIRECTORY ${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/adwpnas
          FILES_MATCHING PATTERN "*.h" PATTERN "*.cuh")
endforeach()
install(DIRECTORY ${PROJECT_BINARY_DIR}/generated/framework DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/adwpnas
        FILES_MATCHING PATTERN "*.h")

configure_package_config_file(cmake/adwpnasConfig.cmake.in ${PROJECT_BINARY_DIR}/adwpnasConfig.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/adwpnasConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/adwpnasConfig.cmake ${PROJECT_BINARY_DIR}/adwpnasConfigVersion.cmake
        DESTINATION ${package_folder})
