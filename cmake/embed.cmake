# Writes OUT, a C++ source that defines FUNCTION, declared in HEADER: the texts of FILES under their names (NAME, or
# NAME_WE without what follows the dot), as TYPE{name, text}, in the order of the names.
set(text "#include \"${HEADER}\"\n\nnamespace holdfast::app {\n\n")
string(APPEND text "const std::vector<${TYPE}>& ${FUNCTION}() {\n  static const std::vector<${TYPE}> all{\n")
list(SORT FILES)
foreach(file ${FILES})
  file(READ ${file} content)
  get_filename_component(name ${file} ${NAMES})
  string(APPEND text "      {\"${name}\", R\"embed(${content})embed\"},\n")
endforeach()
string(APPEND text "  };\n  return all;\n}\n\n}  // namespace holdfast::app\n")
file(WRITE ${OUT} "${text}")
