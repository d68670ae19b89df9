# holdfast_library(NAME SOURCES ... USES ... TESTS ...)
#   One static library per folder. USES is the folder's dependency list; TESTS are the x_test.cc files
#   beside the sources, which become one test program, NAME_test.
# holdfast_store(NAME SOURCES ... WIRES ... TESTS ... LINKS ...)
#   A backend: a library named store_NAME that links state, net and the wires it names.
# holdfast_embed(NAME HEADER FILE...)
#   Compiles files in: makes NAME_files.cc in the binary folder, which defines holdfast::NAME_files() of HEADER.

option(HOLDFAST_LTO "Link-time optimisation" OFF)
option(HOLDFAST_FUZZ "Build the libFuzzer targets" OFF)
option(HOLDFAST_COVERAGE "Instrument for line coverage" OFF)
set(HOLDFAST_PROFILE "" CACHE STRING "use: optimise for what cmake/profile was recorded from; record: record it")
set(HOLDFAST_SANITIZE "" CACHE STRING "Value of -fsanitize, empty for none")
option(HOLDFAST_SYMBOLS "Keep the symbols of the release binary, for profiling" OFF)
option(HOLDFAST_WERROR "Warnings are errors (CI); by default what the environment's HOLDFAST_WERROR says" $ENV{HOLDFAST_WERROR})

add_library(holdfast_flags INTERFACE)
target_compile_features(holdfast_flags INTERFACE cxx_std_23)
target_compile_options(holdfast_flags INTERFACE -Wall -Wextra -Wpedantic -fno-omit-frame-pointer)
target_include_directories(holdfast_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(holdfast_flags INTERFACE
  HOLDFAST_VERSION="${PROJECT_VERSION}"
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_BEAST_SEPARATE_COMPILATION
  SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL)
target_link_options(holdfast_flags INTERFACE -fuse-ld=lld-19 -Wl,--gc-sections -Wl,--as-needed)
if(HOLDFAST_WERROR)
  target_compile_options(holdfast_flags INTERFACE -Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(holdfast_flags INTERFACE -O2 -ffunction-sections -fdata-sections)
  # Addresses of functions of libraries are looked up at the start, and nobody can write to them afterwards.
  target_link_options(holdfast_flags INTERFACE -Wl,-z,relro,-z,now)
  # What the profile says is hot, cold or only for the start stands together: a start then maps less of it.
  target_link_options(holdfast_flags INTERFACE -Wl,-z,keep-text-section-prefix)
endif()
# doc/adr/0019. What changed since the profile was recorded is compiled as if there were none for it.
if(HOLDFAST_PROFILE STREQUAL "use")
  # Named by its content, so that another profile compiles everything again; and from the folder in which the compiler
  # runs, so that ccache takes two trees for the same.
  set(recorded ${CMAKE_SOURCE_DIR}/cmake/profile/release.profdata)
  set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${recorded})
  file(SHA256 ${recorded} content)
  string(SUBSTRING ${content} 0 16 content)
  configure_file(${recorded} ${CMAKE_BINARY_DIR}/${content}.profdata COPYONLY)
  target_compile_options(holdfast_flags INTERFACE -fprofile-use=${content}.profdata
    -Wno-profile-instr-out-of-date -Wno-profile-instr-unprofiled -Wno-backend-plugin)
elseif(HOLDFAST_PROFILE STREQUAL "record")
  target_compile_options(holdfast_flags INTERFACE -fprofile-generate=${CMAKE_BINARY_DIR}/recorded -fprofile-update=atomic)
  target_link_options(holdfast_flags INTERFACE -fprofile-generate)
endif()
if(HOLDFAST_SANITIZE)
  target_compile_options(holdfast_flags INTERFACE -fsanitize=${HOLDFAST_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(holdfast_flags INTERFACE -fsanitize=${HOLDFAST_SANITIZE})
endif()
if(HOLDFAST_COVERAGE)
  target_compile_options(holdfast_flags INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(holdfast_flags INTERFACE -fprofile-instr-generate)
endif()
if(HOLDFAST_LTO)
  set(CMAKE_CXX_COMPILE_OPTIONS_IPO -flto=thin)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  # What the linker has made of a unit before it takes again. HOLDFAST_LTO_CACHE names a folder that builds share.
  set(lto_cache $ENV{HOLDFAST_LTO_CACHE})
  if(NOT lto_cache)
    set(lto_cache ${CMAKE_BINARY_DIR}/lto)
  endif()
  target_link_options(holdfast_flags INTERFACE -Wl,--thinlto-cache-dir=${lto_cache})
endif()

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_EXTENSIONS OFF)

function(holdfast_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;TESTS;TEST_USES;TEST_RUNS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC holdfast_flags ${ARG_USES})
  if(HOLDFAST_FUZZ)
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(ARG_TESTS)
    holdfast_test(${name}_test SOURCES ${ARG_TESTS} USES ${name} ${ARG_TEST_USES} RUNS ${ARG_TEST_RUNS})
  endif()
endfunction()

function(holdfast_embed name header)
  if(NOT TARGET embed)
    add_executable(embed ${CMAKE_SOURCE_DIR}/cmake/tools/embed.cc)
    target_link_libraries(embed PRIVATE holdfast_flags yaml-cpp)
  endif()
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}_files.cc)
  set(files "")
  foreach(file ${ARGN})
    get_filename_component(file ${file} ABSOLUTE)
    list(APPEND files ${file})
  endforeach()
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -E env ASAN_OPTIONS=detect_leaks=0
            $<TARGET_FILE:embed> ${out} ${header} ${name}_files ${files}
    DEPENDS embed ${files})
endfunction()

function(holdfast_store name)
  cmake_parse_arguments(ARG "" "" "SOURCES;WIRES;LINKS;TESTS;TEST_USES;TEST_RUNS" ${ARGN})
  if(TARGET net)
    list(APPEND ARG_WIRES net)
  endif()
  holdfast_library(store_${name} SOURCES ${ARG_SOURCES} USES state ${ARG_WIRES} ${ARG_LINKS}
    TESTS ${ARG_TESTS} TEST_USES ${ARG_TEST_USES} TEST_RUNS ${ARG_TEST_RUNS})
endfunction()

function(holdfast_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;RUNS;WAITS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE holdfast_flags ${ARG_USES} GTest::gmock GTest::gtest_main)
  # What nearly every test includes is read once for all of them; a test still names what it uses. Without a time in it,
  # so that ccache takes two builds of the same for the same.
  if(NOT TARGET test_precompiled)
    add_executable(test_precompiled EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/cmake/tools/precompiled.cc)
    target_link_libraries(test_precompiled PRIVATE holdfast_flags GTest::gmock)
    target_compile_options(test_precompiled PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
    target_precompile_headers(test_precompiled PRIVATE <gmock/gmock.h> <gtest/gtest.h> <fmt/format.h> <algorithm>
      <array> <atomic> <chrono> <coroutine> <deque> <expected> <functional> <future> <map> <memory> <mutex> <optional>
      <set> <span> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>)
  endif()
  target_compile_options(${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  target_precompile_headers(${name} REUSE_FROM test_precompiled)
  # RUNS cuts a long program into several, each the cases that match a pattern of GoogleTest; the rest is one more.
  # WAITS are runs of cases that mostly wait for real time: each is shared out among processes side by side.
  set(taken "")
  set(waiting "")
  foreach(run ${ARG_WAITS})
    string(REGEX REPLACE "[^A-Za-z0-9]+" "_" suffix "${run}")
    add_test(NAME ${name}${suffix} COMMAND bash ${CMAKE_SOURCE_DIR}/cmake/tools/side_by_side.sh
      $<TARGET_FILE:${name}> ${name}${suffix} ${run})
    set_tests_properties(${name}${suffix} PROPERTIES TIMEOUT 300)
    string(APPEND taken "${run}:")
    set(waiting ":-${taken}")
  endforeach()
  foreach(run ${ARG_RUNS})
    string(REGEX REPLACE "[^A-Za-z0-9]+" "_" suffix "${run}")
    # Under a name of its own, which is the name of its result file: runs go on side by side.
    add_test(NAME ${name}${suffix}
      COMMAND bash -c "exec -a \"$1\" \"$0\" \"$2\"" $<TARGET_FILE:${name}> ${name}${suffix} --gtest_filter=${run}${waiting})
    set_tests_properties(${name}${suffix} PROPERTIES TIMEOUT 300)
    string(APPEND taken "${run}:")
  endforeach()
  if(taken)
    add_test(NAME ${name} COMMAND ${name} --gtest_filter=-${taken})
  else()
    add_test(NAME ${name} COMMAND ${name})
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

# holdfast_fuzz(NAME SOURCES ... USES ...): built with HOLDFAST_FUZZ, which instruments the libraries.
function(holdfast_fuzz name)
  if(NOT HOLDFAST_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE holdfast_flags ${ARG_USES})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
