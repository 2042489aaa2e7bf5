# frond_module(NAME base SRCS a.cc b.cc DEPS frond::tensor LIBS absl::status)
#
# One target per folder: library frond_<NAME>, alias frond::<NAME>. DEPS are our own modules, LIBS come
# from outside; both are public so that a user of the module needs to name nothing else. PRIVATE_LIBS
# are wrapped by the folder: their types appear in none of its headers.
function(frond_module)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS;LIBS;PRIVATE_LIBS" ${ARGN})
  if(ARG_SRCS)
    add_library(frond_${ARG_NAME} STATIC ${ARG_SRCS})
    target_include_directories(frond_${ARG_NAME} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
    target_compile_options(frond_${ARG_NAME} PRIVATE ${FROND_WARNINGS})
    target_link_libraries(frond_${ARG_NAME} PUBLIC ${ARG_DEPS} ${ARG_LIBS} PRIVATE ${ARG_PRIVATE_LIBS})
  else()
    add_library(frond_${ARG_NAME} INTERFACE)
    target_include_directories(frond_${ARG_NAME} INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
    target_link_libraries(frond_${ARG_NAME} INTERFACE ${ARG_DEPS} ${ARG_LIBS})
  endif()
  add_library(frond::${ARG_NAME} ALIAS frond_${ARG_NAME})
endfunction()

# frond_test(NAME core_base SRCS philox_test.cc DEPS frond::base [MPI_RANKS 2] [LABELS slow])
#
# One GoogleTest binary per folder. It runs in the source folder `tests/`.
function(frond_test)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS;LABELS" ${ARGN})
  add_executable(${ARG_NAME}_test ${ARG_SRCS})
  target_include_directories(${ARG_NAME}_test PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
  target_compile_options(${ARG_NAME}_test PRIVATE ${FROND_WARNINGS})
  target_link_libraries(${ARG_NAME}_test PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME}_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/tests)
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 900)
endfunction()
