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

# All binaries of tests with the label `unit`: what the build with sanitizers needs.
add_custom_target(unit_tests)

# frond_test(NAME core_base SRCS philox_test.cc DEPS frond::base [LABELS gpu] [SHARDS 3]
#            [SLOW FileTest.ReadsTheWholeDisk FileTest.Many*])
#
# One GoogleTest binary per folder. It runs in the source folder `tests/` and counts as one processor: what starts more
# threads does so for moments. SHARDS: ctest runs it in so many parts, <NAME>_1 and on, that may run beside each other.
# SLOW: patterns of tests that are left out there and run on their own, as <NAME>_slow_1 and on, with the label `slow`
# in place of the others: CI runs these in the release build alone, not under sanitizers.
function(frond_test)
  cmake_parse_arguments(ARG "" "NAME;SHARDS" "SRCS;DEPS;LABELS;SLOW" ${ARGN})
  add_executable(${ARG_NAME}_test ${ARG_SRCS})
  target_include_directories(${ARG_NAME}_test PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
  target_compile_options(${ARG_NAME}_test PRIVATE ${FROND_WARNINGS})
  target_link_libraries(${ARG_NAME}_test PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if("unit" IN_LIST ARG_LABELS)
    add_dependencies(unit_tests ${ARG_NAME}_test)
  endif()
  if(NOT ARG_SHARDS)
    set(ARG_SHARDS 1)
  endif()
  set(filter "*")
  if(ARG_SLOW)
    list(JOIN ARG_SLOW ":" filter)
    set(filter "-${filter}")
  endif()
  foreach(shard RANGE 1 ${ARG_SHARDS})
    set(name ${ARG_NAME})
    if(ARG_SHARDS GREATER 1)
      set(name ${ARG_NAME}_${shard})
    endif()
    math(EXPR index "${shard} - 1")
    add_test(NAME ${name} COMMAND ${ARG_NAME}_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/tests)
    # Threads that wait do not spin: the machine may be busy with other tests.
    set(shard_of "GTEST_TOTAL_SHARDS=${ARG_SHARDS};GTEST_SHARD_INDEX=${index}")
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 1800
      ENVIRONMENT "OMP_WAIT_POLICY=passive;${shard_of};GTEST_FILTER=${filter}")
  endforeach()
  set(index 0)
  foreach(pattern IN LISTS ARG_SLOW)
    math(EXPR index "${index} + 1")
    set(name ${ARG_NAME}_slow_${index})
    add_test(NAME ${name} COMMAND ${ARG_NAME}_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/tests)
    # A pattern that no test matches is a mistake here. The longest start first, so that none is left over at the end.
    set_tests_properties(${name} PROPERTIES LABELS slow TIMEOUT 1800 COST 100
      ENVIRONMENT "OMP_WAIT_POLICY=passive;GTEST_FILTER=${pattern}" FAIL_REGULAR_EXPRESSION "Running 0 tests")
  endforeach()
endfunction()
