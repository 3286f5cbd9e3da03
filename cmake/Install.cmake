# Installs the libraries that adagents_library() recorded, the public headers, and a package config
# with one component per library. Headers under internal/ are installed only when a public header
# includes them, because it is a template or inlined: see InstallHeaders.cmake.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(ADAGENTS_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/adagents)
get_property(ADAGENTS_INSTALLED GLOBAL PROPERTY ADAGENTS_LIBRARIES)

# ADAGENTS_COMPONENT_TABLE: for each component, the components below it and its packages.
set(ADAGENTS_COMPONENT_TABLE "")
foreach(name IN LISTS ADAGENTS_INSTALLED)
  get_target_property(links adagents_${name} LINK_LIBRARIES)
  set(needs_${name} "")
  foreach(link IN LISTS links)
    string(REGEX REPLACE "^adagents(::|_)" "" below "${link}")
    if(below IN_LIST ADAGENTS_INSTALLED)
      list(APPEND needs_${name} ${needs_${below}} ${below})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES needs_${name})
  get_property(packages GLOBAL PROPERTY ADAGENTS_PACKAGES_${name})
  string(APPEND ADAGENTS_COMPONENT_TABLE
    "set(_adagents_${name}_needs ${needs_${name}})\n"
    "set(_adagents_${name}_packages ${packages})\n")

  install(TARGETS adagents_${name} EXPORT adagents-${name}Targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT adagents-${name}Targets NAMESPACE adagents:: DESTINATION ${ADAGENTS_CMAKE_DIR})
endforeach()

configure_package_config_file(cmake/adagentsConfig.cmake.in adagentsConfig.cmake
  INSTALL_DESTINATION ${ADAGENTS_CMAKE_DIR} NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(adagentsConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/adagentsConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/adagentsConfigVersion.cmake DESTINATION ${ADAGENTS_CMAKE_DIR})
file(GLOB find_modules ${PROJECT_SOURCE_DIR}/cmake/Find*.cmake)
install(FILES ${find_modules} DESTINATION ${ADAGENTS_CMAKE_DIR})

install(FILES ${PROJECT_BINARY_DIR}/include/adagents/version.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/adagents)
install(CODE "set(ADAGENTS_SOURCE_INCLUDE \"${PROJECT_SOURCE_DIR}/include\")
set(ADAGENTS_DESTINATION \"${CMAKE_INSTALL_INCLUDEDIR}\")")
install(SCRIPT cmake/InstallHeaders.cmake)
