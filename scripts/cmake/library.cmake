# muster_library(PART): what all libraries of muster have in common. Other projects and find_package(muster) know the
# target muster_PART as muster::PART.
function(muster_library part)
    set(library muster_${part})
    add_library(muster::${part} ALIAS ${library})
    set_target_properties(${library} PROPERTIES EXPORT_NAME ${part})
    target_compile_features(${library} PUBLIC cxx_std_20)
    target_include_directories(${library} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${library} PRIVATE $<BUILD_INTERFACE:muster_options>)
endfunction()
