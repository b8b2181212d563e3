# Writes a C++ source whose function FUNCTION, declared in HEADER, returns the JSON files of FOLDER.
#   cmake -DFOLDER=<folder> -DFUNCTION=<name> -DHEADER=<header> -DOUTPUT=<file> -P embed.cmake
file(GLOB files ${FOLDER}/*.json)
list(SORT files)
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} content)
  string(APPEND entries "        {\"${name}\", R\"JSON(${content})JSON\"},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"${HEADER}\"

const std::vector<edgeloop::ShippedFile>& edgeloop::${FUNCTION}() {
    static const std::vector<ShippedFile> files{
${entries}    };
    return files;
}
")
