# Writes the C++ source OUTPUT that defines page_parts(): page.html, style.css and the modules of FOLDER,
# and LIBRARY.
#   cmake -DFOLDER=<src/report/page> -DLIBRARY=<echarts.js> -DOUTPUT=<file> -P embed_page.cmake
#
# Modules are put one after the other in the order of their names: their import lines and the word export
# go, so names at their top level have to differ. What would end a script or the literal is refused.
file(GLOB modules ${FOLDER}/*.js)
list(SORT modules)
set(script "")
foreach(module IN LISTS modules)
  file(READ ${module} content)
  string(REGEX REPLACE "(^|\n)import [^;]*;" "\\1" content "${content}")
  string(REGEX REPLACE "\nexport " "\n" content "${content}")
  string(APPEND script "${content}")
endforeach()
file(READ ${FOLDER}/page.html html)
file(READ ${FOLDER}/style.css style)
file(READ ${LIBRARY} library)
foreach(part script library)
  string(TOLOWER "${${part}}" lower)
  if(lower MATCHES "</script|<!--")
    message(FATAL_ERROR "${part} holds what ends a script in HTML")
  endif()
endforeach()
foreach(part html style script library)
  if("${${part}}" MATCHES "\\)EDGELOOP\"")
    message(FATAL_ERROR "${part} holds what ends a literal")
  endif()
endforeach()
file(WRITE ${OUTPUT} "#include \"report/page.hpp\"

const edgeloop::report::PageParts& edgeloop::report::page_parts() {
    static const PageParts parts{
        R\"EDGELOOP(${html})EDGELOOP\",
        R\"EDGELOOP(${style})EDGELOOP\",
        R\"EDGELOOP('use strict';
(() => {
${script}
})();
)EDGELOOP\",
        R\"EDGELOOP(${library})EDGELOOP\"};
    return parts;
}
")
