# Run by cpack before it packs: manual pages and changelogs are compressed, as they are everywhere in Debian.
file(GLOB_RECURSE files ${CPACK_TEMPORARY_DIRECTORY}/*)
list(FILTER files INCLUDE REGEX "/usr/share/(man/man[0-9]/[^/]+|doc/[^/]+/changelog)$")
foreach(file ${files})
    execute_process(COMMAND gzip -9n ${file} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
