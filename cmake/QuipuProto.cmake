# quipu_proto_library(name PREFIX prefix FOLDER folder FILES file.proto...)
#
# Makes the static library `name` of the C++ messages of the files, which lie in `folder` and import
# each other as from there. Sources include them as <prefix/file.pb.h>.
#
# Nobody reads generated code and little time is spent in it: it is compiled without our warnings,
# without sanitizers, and with few optimisations; with none where nobody measures.
find_package(Protobuf REQUIRED)

function(quipu_proto_library name)
  cmake_parse_arguments(ARG "" "PREFIX;FOLDER" "FILES" ${ARGN})
  set(root ${CMAKE_BINARY_DIR}/proto/${name})
  set(out ${root}/${ARG_PREFIX})
  set(generated)
  set(inputs)
  foreach(file ${ARG_FILES})
    string(REGEX REPLACE "\\.proto$" "" stem ${file})
    list(APPEND generated ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    list(APPEND inputs ${ARG_FOLDER}/${file})
  endforeach()
  file(MAKE_DIRECTORY ${out})
  add_custom_command(OUTPUT ${generated}
    COMMAND protobuf::protoc --proto_path=${ARG_FOLDER} --cpp_out=${out} ${ARG_FILES}
    DEPENDS ${inputs} COMMENT "Messages of ${ARG_FOLDER}" VERBATIM)
  add_library(${name} STATIC ${generated})
  target_compile_options(${name} PRIVATE -w -g0 $<IF:$<CONFIG:Release>,-O1,-O0>)
  # Generated sources name their helpers alike.
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  # The messages include each other as their files import each other.
  target_include_directories(${name} SYSTEM PUBLIC ${root} ${out})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf)
endfunction()
