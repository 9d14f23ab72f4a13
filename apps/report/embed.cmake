# Writes a C++ file that holds files as text: cmake -DOUT=FILE "-DFILES=a;b" -P embed.cmake
set(text "// Made by embed.cmake from apps/report/page and Chart.js.\n#include \"apps/report/report.h\"\n\n"
         "namespace adwp::apps {\n\nconst std::vector<PageFile>& page_files() {\n"
         "  static const std::vector<PageFile> files{\n")
string(CONCAT text ${text})
foreach(path ${FILES})
  get_filename_component(name ${path} NAME)
  file(READ ${path} content)
  string(APPEND text "      {\"${name}\", R\"embedded(${content})embedded\"},\n")
endforeach()
string(APPEND text "  };\n  return files;\n}\n\n}  // namespace adwp::apps\n")
file(WRITE ${OUT} "${text}")
