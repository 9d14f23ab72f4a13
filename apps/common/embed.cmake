# Writes a C++ file that holds files as text, {name, text} of each, as what FUNCTION of HEADER returns:
#   cmake -DOUT=FILE "-DFILES=a;b" -DHEADER=apps/... -DTYPE=T -DFUNCTION=F [-DNAMES=NAME_WE] -P embed.cmake
if(NOT NAMES)
  set(NAMES NAME)
endif()
set(text "// Made by embed.cmake.\n#include \"${HEADER}\"\n\nnamespace adwp::apps {\n\n"
         "const std::vector<${TYPE}>& ${FUNCTION}() {\n  static const std::vector<${TYPE}> files{\n")
string(CONCAT text ${text})
foreach(path ${FILES})
  get_filename_component(name ${path} ${NAMES})
  file(READ ${path} content)
  string(APPEND text "      {\"${name}\", R\"embedded(${content})embedded\"},\n")
endforeach()
string(APPEND text "  };\n  return files;\n}\n\n}  // namespace adwp::apps\n")
file(WRITE ${OUT} "${text}")
