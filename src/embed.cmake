# Writes a C++ source whose function FUNCTION, declared in HEADER, returns the files of FOLDER that PATTERN names:
# JSON files by their names without suffix, others by their whole names.
#   cmake -DFOLDER=<folder> -DPATTERN=<*.json> -DFUNCTION=<name> -DHEADER=<header> -DOUTPUT=<file> -P embed.cmake
file(GLOB files ${FOLDER}/${PATTERN})
list(SORT files)
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME)
  string(REGEX REPLACE "\\.json$" "" name ${name})
  file(READ ${file} content)
  string(APPEND entries "        {\"${name}\", R\"FILE(${content})FILE\"},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"${HEADER}\"

const std::vector<edgeloop::ShippedFile>& edgeloop::${FUNCTION}() {
    static const std::vector<ShippedFile> files{
${entries}    };
    return files;
}
")
