#include "wire/json/json.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <new>
#include <string>
#include <vector>

namespace {
// Counts this thread's allocations, for the test that the hot path makes none.
thread_local std::size_t allocations = 0;
}  // namespace

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes == 0 ? 1 : bytes);
}
void* operator new(std::size_t bytes) {
  void* memory = operator new(bytes, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t& tag) noexcept { return operator new(bytes, tag); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace holdfast::json {
namespace {

std::string repeat(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

// What a client's JSON becomes in a store, or "error: ...".
std::string normalise(std::string_view text, Reading reading = Reading::first_value) {
  Parser parser;
  const auto element = parser.parse(text, reading);
  if (!element) return "error: " + element.error().message;
  std::string out;
  append_go(out, *element);
  return out;
}

struct TextCase {
  const char* name;
  std::string text;
  std::string expected;
  friend void PrintTo(const TextCase& one, std::ostream* out) { *out << one.name; }
};
std::string name_of(const testing::TestParamInfo<TextCase>& info) { return info.param.name; }

class GoForm : public testing::TestWithParam<TextCase> {};

TEST_P(GoForm, IsWhatGoWouldStore) { EXPECT_EQ(normalise(GetParam().text), GetParam().expected); }

INSTANTIATE_TEST_SUITE_P(
    Structure, GoForm,
    testing::Values(
        TextCase{"EmptyObject", " { } ", "{}"}, TextCase{"EmptyArray", "[ ]", "[]"},
        TextCase{"SortsKeysByBytes", R"({"b":1,"a":2,"B":3,"é":4,"":5})", R"({"":5,"B":3,"a":2,"b":1,"é":4})"},
        TextCase{"LastDuplicateWins", R"({"a":1,"b":2,"a":{"x":1},"a":[3]})", R"({"a":[3],"b":2})"},
        TextCase{"EscapedKeyIsADuplicate", R"({"a":1,"\u0061":2})", R"({"a":2})"},
        TextCase{"Nested", R"({"z":[{"y":1,"x":[[],{}]}],"a":null})", R"({"a":null,"z":[{"x":[[],{}],"y":1}]})"},
        TextCase{"Literals", "[true,false,null]", "[true,false,null]"}, TextCase{"ScalarString", R"("x")", R"("x")"},
        TextCase{"ScalarNull", "null", "null"}, TextCase{"IgnoresWhatFollows", "[] xyz", "[]"},
        TextCase{"IgnoresASecondValue", "1 2", "1"}, TextCase{"IgnoresGarbageAfterANumber", "123abc", "123"},
        TextCase{"IgnoresALaterZeroByte", std::string("{}\0", 3), "{}"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Numbers, GoForm,
    testing::Values(
        TextCase{"Zero", "0", "0"}, TextCase{"MinusZero", "-0", "-0"},
        TextCase{"MinusZeroInside", R"({"a":[-0]})", R"({"a":[-0]})"}, TextCase{"MinusZeroPointZero", "-0.0", "-0"},
        TextCase{"MinusZeroWithExponent", "[-0e5]", "[-0]"}, TextCase{"TrailingZeros", "2.50", "2.5"},
        TextCase{"IntegralFraction", "10.0", "10"}, TextCase{"Exponent", "1e3", "1000"},
        TextCase{"LargestExact", "9007199254740991", "9007199254740991"},
        TextCase{"RoundsFrom2To53", "9007199254740993", "9007199254740992"},
        TextCase{"NegativeZeroWhereverItStands", "[-0, -0,{\"a\":-0}]", "[-0,-0,{\"a\":-0}]"},
        TextCase{"NoNumberInAString", "{\"key-0\":\"a-0, -0\"}", "{\"key-0\":\"a-0, -0\"}"},
        TextCase{"RoundsNegatives", "-9007199254740993", "-9007199254740992"},
        TextCase{"Int64Min", "-9223372036854775808", "-9223372036854776000"},
        TextCase{"Unsigned64", "12345678901234567890", "12345678901234567000"},
        TextCase{"Beyond64Bits", "20000000000000000000", "20000000000000000000"},
        TextCase{"FarBeyond64Bits", "123456789012345678901234567890", "1.2345678901234568e+29"},
        TextCase{"NegativeBeyond64Bits", "[-20000000000000000001]", "[-20000000000000000000]"},
        TextCase{"BelowExponentForm", "999999999999999900000", "999999999999999900000"},
        TextCase{"ExponentForm", "1e21", "1e+21"}, TextCase{"ThirtyZeros", "1e30", "1e+30"},
        TextCase{"SmallestPlain", "0.000001", "0.000001"}, TextCase{"SmallExponentForm", "0.0000001", "1e-7"},
        TextCase{"ManyDigitsSmall", "0.00000012345", "1.2345e-7"}, TextCase{"PlainFraction", "0.00123", "0.00123"},
        TextCase{"TwoDigitExponent", "1e-10", "1e-10"},
        TextCase{"ThreeDigitExponent", "1.7976931348623157e308", "1.7976931348623157e+308"},
        TextCase{"Denormal", "5e-324", "5e-324"}, TextCase{"Underflow", "[1e-400]", "[0]"},
        TextCase{"UnderflowWithGarbage", "1e-400 x", "0"}, TextCase{"ZeroWithHugeExponent", "0e99999 x", "0"},
        TextCase{"Pi", "3.141592653589793", "3.141592653589793"},
        TextCase{"TooLarge", "1e400", "error: json: cannot unmarshal number 1e400 into Go value of type float64"},
        TextCase{"TooLargeInside", R"({"a":-1e400})",
                 "error: json: cannot unmarshal number -1e400 into Go value of type float64"},
        TextCase{"TooLargeByDigits", repeat("9", 310) + ".0e1",
                 "error: json: cannot unmarshal number " + repeat("9", 200) + " into Go value of type float64"},
        TextCase{"SyntaxErrorBeatsRange", "[1e400,}", "error: invalid character '}' looking for beginning of value"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Strings, GoForm,
    testing::Values(TextCase{"ShortEscapes", R"("\b\f\n\r\t\"\\\/")", R"("\b\f\n\r\t\"\\/")"},
                    TextCase{"ControlCharacters", R"("\u0000\u001f\u007f")", "\"\\u0000\\u001f\x7f\""},
                    TextCase{"Html", R"("<a href='x'>&</a>")", R"("\u003ca href='x'\u003e\u0026\u003c/a\u003e")"},
                    TextCase{"HtmlInKeys", R"({"<":1})", R"({"\u003c":1})"},
                    TextCase{"LineSeparators", "\"\u2028\u2029\u2027\"", "\"\\u2028\\u2029\u2027\""},
                    TextCase{"EscapesBecomeCharacters", R"("\u00e9\u20ac\ud83d\ude00")", "\"é€😀\""},
                    TextCase{"LoneHighSurrogate", R"("\ud800")", "\"\xef\xbf\xbd\""},
                    TextCase{"LoneLowSurrogate", R"("\udc00x")", "\"\xef\xbf\xbdx\""},
                    TextCase{"HighSurrogateBeforeAnother", R"("\ud800\ud83d\ude00")", "\"\xef\xbf\xbd😀\""},
                    TextCase{"HighSurrogateBeforeALetter", R"("\ud800\u0041")",
                             "\"\xef\xbf\xbd"
                             "A\""},
                    TextCase{"HighSurrogateBeforeAnEscape", R"("\ud800\n")", "\"\xef\xbf\xbd\\n\""},
                    TextCase{"BadByte",
                             "\"a\xff"
                             "b\"",
                             "\"a\xef\xbf\xbd"
                             "b\""},
                    TextCase{"TruncatedCharacter", "\"\xe2\x82\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
                    TextCase{"OverlongSlash", "\"\xc0\xaf\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
                    TextCase{"SurrogateInUtf8", "\"\xed\xa0\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
                    TextCase{"BeyondUnicode", "\"\xf4\x90\x80\x80\"",
                             "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
                    TextCase{"BadKeysCanCollide", "{\"\xff\":1,\"\xfe\":2}", "{\"\xef\xbf\xbd\":2}"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Refused, GoForm,
    testing::Values(
        TextCase{"Empty", "", "error: EOF"}, TextCase{"WhiteSpace", " \r\n\t", "error: EOF"},
        TextCase{"OpenObject", "{", "error: unexpected EOF"}, TextCase{"OpenString", "\"abc", "error: unexpected EOF"},
        TextCase{"OpenLiteral", "tru", "error: unexpected EOF"}, TextCase{"OpenNumber", "-", "error: unexpected EOF"},
        TextCase{"OpenEscape", "\"\\", "error: unexpected EOF"},
        TextCase{"OpenUnicode", "\"\\u12", "error: unexpected EOF"},
        TextCase{"Word", "foo", "error: invalid character 'o' in literal false (expecting 'a')"},
        TextCase{"Bracket", "]", "error: invalid character ']' looking for beginning of value"},
        TextCase{"TrailingCommaInArray", "[1,]", "error: invalid character ']' looking for beginning of value"},
        TextCase{"TrailingCommaInObject", R"({"a":1,})",
                 "error: invalid character '}' looking for beginning of object key string"},
        TextCase{"BareKey", "{a:1}", "error: invalid character 'a' looking for beginning of object key string"},
        TextCase{"NoColon", R"({"a" 1})", "error: invalid character '1' after object key"},
        TextCase{"NoComma", R"({"a":1 "b":2})", "error: invalid character '\"' after object key:value pair"},
        TextCase{"NoCommaInArray", "[1 2]", "error: invalid character '2' after array element"},
        TextCase{"WrongCloser", "[1}", "error: invalid character '}' after array element"},
        TextCase{"LineBreakInString", "\"a\nb\"", "error: invalid character '\\n' in string literal"},
        TextCase{"ZeroByteInString", std::string("\"a\0b\"", 5), "error: invalid character '\\x00' in string literal"},
        TextCase{"BadEscape", R"("\x")", "error: invalid character 'x' in string escape code"},
        TextCase{"ZeroByteEscape", std::string("\"\\\0\"", 4),
                 "error: invalid character '\\x00' in string escape code"},
        TextCase{"BadHex", R"("\u12g4")", "error: invalid character 'g' in \\u hexadecimal character escape"},
        TextCase{"SingleQuote", "'a'", "error: invalid character '\\'' looking for beginning of value"},
        TextCase{"Backslash", "\\", "error: invalid character '\\\\' looking for beginning of value"},
        TextCase{"ByteOrderMark", "\xef\xbb\xbf{}", "error: invalid character 'ï' looking for beginning of value"},
        TextCase{"HighByte", "\x80", "error: invalid character '\\u0080' looking for beginning of value"},
        TextCase{"Delete", "\x7f", "error: invalid character '\\x7f' looking for beginning of value"},
        TextCase{"MinusWord", "-x", "error: invalid character 'x' in numeric literal"},
        TextCase{"NoFraction", "[1.]", "error: invalid character ']' after decimal point in numeric literal"},
        TextCase{"NoExponent", "[1e+]", "error: invalid character ']' in exponent of numeric literal"},
        TextCase{"LeadingZeroInArray", "[01]", "error: invalid character '1' after array element"},
        TextCase{"LeadingPlus", "+1", "error: invalid character '+' looking for beginning of value"},
        TextCase{"NaN", "NaN", "error: invalid character 'N' looking for beginning of value"}),
    name_of);

class WholeText : public testing::TestWithParam<TextCase> {};

TEST_P(WholeText, IsReadAsGosUnmarshalReadsIt) {
  EXPECT_EQ(normalise(GetParam().text, Reading::whole_text), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, WholeText,
    testing::Values(TextCase{"Value", " [1] \n", "[1]"}, TextCase{"MinusZero", " -0 ", "-0"},
                    TextCase{"Empty", "", "error: unexpected end of JSON input"},
                    TextCase{"OpenObject", "{\"a\":", "error: unexpected end of JSON input"},
                    TextCase{"OpenString", "\"a", "error: unexpected end of JSON input"},
                    TextCase{"OpenLiteral", "tru", "error: invalid character ' ' in literal true (expecting 'e')"},
                    TextCase{"OpenNumber", "-", "error: invalid character ' ' in numeric literal"},
                    TextCase{"Trailing", "{} x", "error: invalid character 'x' after top-level value"},
                    TextCase{"TrailingDigit", "01", "error: invalid character '1' after top-level value"},
                    TextCase{"TrailingAfterBadUtf8", "\"\xff\",",
                             "error: invalid character ',' after top-level value"}),
    name_of);

TEST(Parser, NestingEndsAtTenThousandLevels) {
  for (const std::size_t depth : {1023u, 1024u, 1025u, 9999u, 10000u}) {
    const std::string arrays = repeat("[", depth) + repeat("]", depth);
    EXPECT_EQ(normalise(arrays), arrays) << depth;
  }
  const std::string objects = repeat(R"({"a":)", 10000) + "1" + repeat("}", 10000);
  EXPECT_EQ(normalise(objects), objects);
  EXPECT_EQ(normalise(repeat("[", 10001)), "error: invalid character '[' exceeded max depth");
  EXPECT_EQ(normalise(repeat(R"({"a":)", 10001)), "error: invalid character '{' exceeded max depth");
  EXPECT_EQ(normalise(repeat("[", 3'000'000)), "error: invalid character '[' exceeded max depth");
}

TEST(Parser, ReadsSmallTextsAfterALargeOneAndLetsItsMemoryGo) {
  Parser parser;
  const std::string large = "\"" + repeat("x", 1 << 20) + "\"";
  ASSERT_TRUE(parser.parse(large));
  for (int i = 0; i < 200; ++i) {
    const auto element = parser.parse("[7]");
    ASSERT_TRUE(element);
    std::string out;
    append_go(out, *element);
    ASSERT_EQ(out, "[7]");
  }
}

TEST(Parser, SteadyStateAllocatesNothing) {
  const std::string body =
      R"([{"key":"cart-17","value":{"total":12.75,"items":[{"sku":"b-9","n":2},{"sku":"a-1","n":1}],)"
      R"("note":"call <first> & \"knock\"","when":"2026-01-02T03:04:05Z"},"etag":"7","metadata":{"ttlInSeconds":"60"}}])";
  Parser parser;
  std::string out;
  const auto round = [&] {
    out.clear();
    const auto element = parser.parse(body);
    ASSERT_TRUE(element);
    append_go(out, *element);
  };
  round();
  const std::size_t before = allocations;
  for (int i = 0; i < 100; ++i) round();
  EXPECT_EQ(allocations, before);
}

TEST(Parser, FailsCleanlyAndReadsOn) {
  Parser parser;
  EXPECT_FALSE(parser.parse("{"));
  const auto element = parser.parse(R"({"a":1})");
  ASSERT_TRUE(element);
  EXPECT_EQ(go_kind(*element), "object");
}

TEST(FindMember, TakesAnyCaseAndTheLastOfSeveral) {
  Parser parser;
  const auto element = parser.parse(R"({"key":"a","KEY":"b","Value":1,"keys":3})");
  ASSERT_TRUE(element);
  const Object object = element->get_object().value();
  Element found;
  ASSERT_TRUE(find_member(object, "key", found));
  EXPECT_EQ(found.get_string().value(), "b");
  ASSERT_TRUE(find_member(object, "value", found));
  EXPECT_EQ(go_kind(found), "number");
  EXPECT_FALSE(find_member(object, "etag", found));
}

TEST(GoKind, UsesGosWords) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{}", "object"},  {"[]", "array"},  {"\"\"", "string"}, {"1", "number"}, {"18446744073709551615", "number"},
      {"1.5", "number"}, {"true", "bool"}, {"null", "null"}};
  Parser parser;
  for (const auto& [text, kind] : cases) {
    const auto element = parser.parse(text);
    ASSERT_TRUE(element) << text;
    EXPECT_EQ(go_kind(*element), kind) << text;
  }
}

TEST(AppendString, WritesBadUtf8AsAnEscape) {
  std::string out = "x";
  append_string(out, "a\xff\xe2\x80\xa8\"\x01");
  EXPECT_EQ(out, "x\"a\\ufffd\\u2028\\\"\\u0001\"");
}

// Strings are looked through in blocks; what is special must be seen at every place in one, whatever their length.
TEST(AppendString, SeesASpecialByteAtEveryPlace) {
  const std::vector<std::pair<std::string, std::string>> specials{
      {"<", "\\u003c"}, {"\"", "\\\""}, {"\x1f", "\\u001f"}, {"\xff", "\\ufffd"}, {"\xe2\x80\xa9", "\\u2029"},
      {"é", "é"}};
  for (const auto& [special, written] : specials)
    for (std::size_t length = 0; length <= 40; ++length)
      for (std::size_t place = 0; place <= length; ++place) {
        const std::string before(place, 'x');
        const std::string after(length - place, 'y');
        std::string out;
        append_string(out, before + special + after);
        ASSERT_EQ(out, '"' + before + written + after + '"') << place << " of " << length;
        // A copy sees what ends a string, and rewrites what Go rewrites, at the same places.
        std::string copy;
        ASSERT_TRUE(append_compact(copy, out)) << out;
        ASSERT_EQ(copy, out) << place << " of " << length;
      }
}

TEST(AppendCompact, SeesAnHtmlByteAtEveryPlace) {
  for (std::size_t place = 0; place < 40; ++place) {
    const std::string before = '"' + std::string(place, 'x');
    const std::string after = std::string(40 - place, 'y') + '"';
    std::string out;
    ASSERT_TRUE(append_compact(out, before + "&\u2028é" + after));
    ASSERT_EQ(out, before + "\\u0026\\u2028é" + after) << place;
    ASSERT_FALSE(append_compact(out, before + "\n" + after)) << place;
  }
}

TEST(AppendNumber, NumbersThatJsonLacksAreNull) {
  std::string out;
  append_number(out, std::numeric_limits<double>::infinity());
  out += ' ';
  append_number(out, -std::numeric_limits<double>::infinity());
  out += ' ';
  append_number(out, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(out, "null null null");
}

class Compact : public testing::TestWithParam<TextCase> {};

TEST_P(Compact, KeepsWhatWasWritten) {
  std::string out = "before";
  const bool done = append_compact(out, GetParam().text);
  EXPECT_EQ(done, !GetParam().expected.empty());
  EXPECT_EQ(out, "before" + GetParam().expected);
  EXPECT_EQ(is_valid(GetParam().text), done);
}

INSTANTIATE_TEST_SUITE_P(Cases, Compact,
                         testing::Values(TextCase{"DropsWhiteSpace", " { \"b\" : [ 1 , 2.50 ] ,\n\"a\":\t1e3 } ",
                                                  R"({"b":[1,2.50],"a":1e3})"},
                                         TextCase{"KeepsDuplicates", R"({"a":1,"a":2})", R"({"a":1,"a":2})"},
                                         TextCase{"KeepsSpaceInStrings", R"(" a  b ")", R"(" a  b ")"},
                                         TextCase{"KeepsEscapes", R"("\u00e9\/\ud800")", R"("\u00e9\/\ud800")"},
                                         TextCase{"EscapesHtml", R"({"<":"a>b&c"})", R"({"\u003c":"a\u003eb\u0026c"})"},
                                         TextCase{"EscapesLineSeparators", "\"x\u2028y\u2029\"",
                                                  "\"x\\u2028y\\u2029\""},
                                         TextCase{"KeepsBadUtf8", "\"\xff\xe2\"", "\"\xff\xe2\""},
                                         TextCase{"KeepsHugeNumbers", "[1e400,-0]", "[1e400,-0]"},
                                         TextCase{"RefusesTrailing", "{} {}", ""}, TextCase{"RefusesEmpty", "", ""},
                                         TextCase{"RefusesRawText", "hello", ""}, TextCase{"RefusesHalf", "[1,2", ""},
                                         TextCase{"RefusesDepth", repeat("[", 10001) + repeat("]", 10001), ""}),
                         name_of);

TEST(Members, HaveACommaBetweenThem) {
  std::string out = "{";
  append_member(out, "a{", "x{");
  append_member(out, "\"", "<");
  append_name(out, "c");
  out += '{';
  append_member(out, "d", "");
  out += "}}";
  EXPECT_EQ(out, R"({"a{":"x{","\"":"\u003c","c":{"d":""}})");
}

}  // namespace
}  // namespace holdfast::json
