# Writes OUT, a C++ source with the version and the git revision of SOURCE, where it differs from what is there. Where there
# is no git, as in an image's build, the environment's HOLDFAST_REVISION says it.
set(revision "$ENV{HOLDFAST_REVISION}")
if(NOT revision)
  execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=10
                  OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT revision)
  set(revision unknown)
endif()
set(text "#include \"common/version.h\"\n\nnamespace holdfast {\n\n")
string(APPEND text "const char* const kVersion = \"${VERSION}\";\nconst char* const kRevision = \"${revision}\";\n\n}\n")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT "${before}" STREQUAL "${text}")
  file(WRITE ${OUT} "${text}")
endif()
