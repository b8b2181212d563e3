# Writes a C++ source that holds the JSON files of spaces/ and specs/ as string literals.
#   cmake -DFOLDER=<this folder> -DOUTPUT=<file> -P embed.cmake
function(embed kind function source)
  file(GLOB files ${FOLDER}/${kind}/*.json)
  list(SORT files)
  set(entries "")
  foreach(file IN LISTS files)
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} content)
    string(APPEND entries "        {\"${name}\", R\"JSON(${content})JSON\"},\n")
  endforeach()
  set(${source} "${${source}}const std::vector<ShippedFile>& ${function}() {
    static const std::vector<ShippedFile> files{
${entries}    };
    return files;
}

" PARENT_SCOPE)
endfunction()

set(generated "#include \"space/shipped.hpp\"\n\nnamespace edgeloop {\n\n")
embed(spaces shipped_spaces generated)
embed(specs shipped_specs generated)
file(WRITE ${OUTPUT} "${generated}}  // namespace edgeloop\n")
