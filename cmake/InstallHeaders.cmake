# Run by `cmake --install`: copies every header that is not under an internal/ folder, and those
# internal ones that the copied headers include. Needs ADAGENTS_SOURCE_INCLUDE (the include/ folder)
# and ADAGENTS_DESTINATION (relative to the prefix).
cmake_policy(VERSION 3.25)

file(GLOB_RECURSE pending RELATIVE "${ADAGENTS_SOURCE_INCLUDE}" "${ADAGENTS_SOURCE_INCLUDE}/*.h")
list(FILTER pending EXCLUDE REGEX "/internal/")

set(headers "")
while(pending)
  list(POP_FRONT pending header)
  list(APPEND headers "${header}")
  file(STRINGS "${ADAGENTS_SOURCE_INCLUDE}/${header}" lines
    REGEX "^ *# *include +\"adagents/.*/internal/")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^[^\"]*\"([^\"]*)\".*$" "\\1" included "${line}")
    if(NOT included IN_LIST headers AND NOT included IN_LIST pending)
      list(APPEND pending "${included}")
    endif()
  endforeach()
endwhile()

foreach(header IN LISTS headers)
  cmake_path(GET header PARENT_PATH folder)
  file(INSTALL "${ADAGENTS_SOURCE_INCLUDE}/${header}"
    DESTINATION "${CMAKE_INSTALL_PREFIX}/${ADAGENTS_DESTINATION}/${folder}")
endforeach()
