# Writes a C++ file that holds every section-*.toml, so that a program needs no files beside it.
# cmake -DOUT=FILE -DDIR=FOLDER -P embed.cmake
file(GLOB files ${DIR}/section-*.toml)
list(SORT files)
set(text "// Made by harness/catalogue/embed.cmake.\n#include \"harness/catalogue/catalogue.h\"\n\n")
string(APPEND text "namespace tsih::catalogue {\nnamespace {\nconstexpr Source kSources[] = {\n")
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  file(READ ${file} content)
  # A compiler may limit one literal: cut into pieces that it joins again.
  string(REGEX REPLACE "\n\\[\\[clause\\]\\]" ")toml\"\nR\"toml(\n[[clause]]" content "${content}")
  string(APPEND text "{\"${name}\", R\"toml(${content})toml\"},\n")
endforeach()
string(APPEND text "};\n}  // namespace\n")
string(APPEND text "std::span<const Source> built_in_sources() { return kSources; }\n}  // namespace tsih::catalogue\n")
file(WRITE ${OUT} "${text}")
