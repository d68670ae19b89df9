#include "migration/export_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/encoding.h"
#include "base/number.h"
#include "migration/durable_file.h"

namespace holdfast::migration {
namespace {

constexpr std::size_t kReadBytes = 1u << 20;
constexpr std::size_t kTrailerBytesMax = 4096;

std::unexpected<Error> cannot_open(std::string_view name) {
  const bool is_there = errno != ENOENT;
  auto failure = system_failure("open", name);
  if (!is_there) failure.error().code = Errc::not_found;
  return failure;
}

std::string_view take_word(std::string_view& text) { return take_part(text, ' '); }

Hash hash_of(const state::ListedRecord& item) { return content_hash(item.key, item.record, Kept()); }

}  // namespace

// Where a page ends: the offset in the file, lines before it, and the hashes of these, which a cursor carries so that
// the whole file is checked whoever read the beginning.
struct FileSource::Place {
  std::uint64_t offset = 0;
  std::uint64_t lines = 0;
  ExportTrailer seen;

  std::string text() const { return fmt::format("{} {} {} {}", offset, lines, seen.content.text(), seen.lines.text()); }
  static std::optional<Place> parse(std::string_view text) {
    Place place;
    if (text.empty()) return place;
    const bool has_numbers = read_number(take_word(text), place.offset) && read_number(take_word(text), place.lines);
    const auto content = Digest::parse(take_word(text));
    const auto lines = Digest::parse(text);
    if (!has_numbers || !content || !lines) return std::nullopt;
    place.seen = {*content, *lines};
    return place;
  }
};

Result<std::unique_ptr<FileSource>> FileSource::open(std::string path, std::uint32_t page_max) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return cannot_open(path);
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) return system_failure("look at", path);
  if (!S_ISREG(facts.st_mode))
    return fail(Errc::invalid_argument, fmt::format("{} is no regular file, and only those can be read twice", path));
  std::unique_ptr<FileSource> source(new FileSource(std::move(path), std::move(file), page_max));
  if (auto read = source->read_ends(); !read) return fail(std::move(read.error()));
  return source;
}

std::unexpected<Error> FileSource::refuse(std::uint64_t line, std::string_view why) const {
  return fail(Errc::invalid_argument, fmt::format("{}:{}: {}", path_, line, why));
}

Status FileSource::read_ends() {
  const auto first = read_line(1);
  if (!first) return fail(first.error());
  auto header = parse_line(*first);
  if (!header) return refuse(1, fmt::format("this is no export file: {}", header.error().message));
  if (!std::holds_alternative<ExportHeader>(*header))
    return refuse(1, "this is no export file: its first line has no \"holdfastExport\"");
  header_ = std::get<ExportHeader>(std::move(*header));
  const auto last = last_line();
  if (!last) return fail(last.error());
  const auto trailer = parse_line(*last);
  if (!trailer || !std::holds_alternative<ExportTrailer>(*trailer))
    return fail(Errc::invalid_argument,
                fmt::format("{} was cut off: it does not end with the line that every whole export has. Export again; "
                            "nothing was imported",
                            path_));
  trailer_ = std::get<ExportTrailer>(*trailer);
  return {};
}

// What stands behind the last newline but one; empty when the file does not end with one.
Result<std::string> FileSource::last_line() const {
  const off_t size = ::lseek(file_.get(), 0, SEEK_END);
  const auto length = static_cast<std::size_t>(std::min<off_t>(size, kTrailerBytesMax));
  std::string tail(length, '\0');
  const ssize_t got = ::pread(file_.get(), tail.data(), length, size - static_cast<off_t>(length));
  if (got < 0) return system_failure("read", path_);
  tail.resize(static_cast<std::size_t>(got));
  if (!tail.ends_with('\n')) return std::string();
  tail.pop_back();
  return tail.substr(tail.rfind('\n') + 1);
}

void FileSource::seek(const Place& place) {
  if (place.offset == offset_) return;
  buffer_.clear();
  buffer_at_ = 0;
  offset_ = place.offset;
}

Result<std::string_view> FileSource::read_line(std::uint64_t number) {
  std::size_t looked_at = buffer_at_;
  for (;;) {
    const std::size_t end = buffer_.find('\n', looked_at);
    if (end != std::string::npos) {
      const std::string_view line = std::string_view(buffer_).substr(buffer_at_, end - buffer_at_);
      offset_ += line.size() + 1;
      buffer_at_ = end + 1;
      return line;
    }
    buffer_.erase(0, buffer_at_);
    buffer_at_ = 0;
    looked_at = buffer_.size();
    if (looked_at > kLineBytesMax)
      return refuse(number, fmt::format("the line is longer than {} bytes", kLineBytesMax));
    buffer_.resize(looked_at + kReadBytes);
    const ssize_t got =
        ::pread(file_.get(), buffer_.data() + looked_at, kReadBytes, static_cast<off_t>(offset_ + looked_at));
    buffer_.resize(looked_at + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) return system_failure("read", path_);
    if (got == 0) return refuse(number, "the file ends here, without the last line of a whole export");
  }
}

// Whether that was the last line.
Result<bool> FileSource::take_line(Place& place, Page& page) {
  const std::uint64_t number = place.lines + 1;
  const auto line = read_line(number);
  if (!line) return fail(line.error());
  place.offset = offset_;
  place.lines = number;
  auto parsed = parse_line(*line);
  if (!parsed) return refuse(number, parsed.error().message);
  if (auto* const item = std::get_if<state::ListedRecord>(&*parsed)) {
    place.seen.lines.add(sha256(*line));
    place.seen.content.add(hash_of(*item));
    page.items.push_back(std::move(*item));
    return false;
  }
  if (std::holds_alternative<ExportHeader>(*parsed)) {
    if (number == 1) return false;
    return refuse(number, "a second first line; were two files put together?");
  }
  const auto& end = std::get<ExportTrailer>(*parsed);
  if (end.lines != place.seen.lines)
    return refuse(number, fmt::format("the file was changed since it was written: its {} records should be {}, with "
                                      "other hashes",
                                      place.seen.lines.count(), end.lines.count()));
  if (read_line(number + 1)) return refuse(number + 1, "there is more behind the last line");
  return true;
}

Task<Result<Page>> FileSource::next(std::string cursor) {
  auto place = Place::parse(cursor);
  if (!place) co_return fail(Errc::precondition_failed, "this is no place in an export file");
  seek(*place);
  Page page;
  const std::uint64_t began = place->offset;
  while (page.items.size() < page_max_ && place->offset - began < kFilePageBytesMax) {
    const auto is_last = take_line(*place, page);
    if (!is_last) co_return fail(is_last.error());
    if (*is_last) co_return page;
  }
  page.cursor = place->text();
  co_return page;
}

Status FileSink::start_stream() {
  // What was written to a pipe cannot be taken back.
  if (bytes_ > 0)
    return fail(Errc::unavailable,
                "the source gave up its cursor, and what was written cannot begin again; export to a "
                "file");
  return put(line_of(header_));
}

Status FileSink::start(std::string_view mark) {
  if (stream_ >= 0) return start_stream();
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(path_, ignored)))
    return fail(Errc::precondition_failed,
                fmt::format("{} is there already and is left as it is; name another file or remove it", path_));
  const bool is_new = mark.empty();
  file_ = Descriptor(::open(part().c_str(), O_WRONLY | O_CLOEXEC | (is_new ? O_CREAT | O_TRUNC : 0), 0600));
  if (!file_) return cannot_open(part());
  bytes_ = 0;
  written_ = {};
  if (is_new) return put(line_of(header_));
  const bool is_good = read_number(take_word(mark), bytes_);
  const auto content = Digest::parse(take_word(mark));
  const auto lines = Digest::parse(mark);
  struct stat facts{};
  if (::fstat(file_.get(), &facts) != 0) return system_failure("look at", part());
  if (!is_good || !content || !lines || static_cast<std::uint64_t>(facts.st_size) < bytes_)
    return fail(Errc::precondition_failed,
                fmt::format("{} is not the file of the migration that should go on; remove its state file to begin "
                            "again",
                            part()));
  written_ = {*content, *lines};
  if (::ftruncate(file_.get(), static_cast<off_t>(bytes_)) != 0 || ::lseek(file_.get(), 0, SEEK_END) < 0)
    return system_failure("go on with", part());
  return {};
}

Status FileSink::put(std::string_view bytes) {
  bytes_ += bytes.size();
  return write_all(fd(), bytes, stream_ >= 0 ? "to standard output" : part());
}

Task<Result<Tally>> FileSink::write(std::vector<state::ListedRecord> batch) {
  Tally tally;
  std::string text;
  for (const state::ListedRecord& item : batch) {
    const std::string line = line_of(item);
    written_.lines.add(sha256(std::string_view(line).substr(0, line.size() - 1)));
    written_.content.add(hash_of(item));
    text += line;
    tally.add(Count::written);
  }
  if (auto put_down = put(text); !put_down) co_return fail(std::move(put_down.error()));
  co_return tally;
}

Result<std::string> FileSink::mark() {
  if (stream_ >= 0 || is_finished_) return std::string();
  if (::fsync(file_.get()) != 0) return system_failure("write", part());
  return fmt::format("{} {} {}", bytes_, written_.content.text(), written_.lines.text());
}

Status FileSink::finish() {
  if (auto ended = put(line_of(written_)); !ended || stream_ >= 0) return ended;
  if (::fsync(file_.get()) != 0) return system_failure("write", part());
  is_finished_ = true;
  return rename_durably(part(), path_, Replace::no);
}

}  // namespace holdfast::migration
