// Export files as the ends of a migration: JSON Lines with a first line that says what they are and a last one by which
// a file that was cut off, or changed in one byte, is noticed (export_line.h).
#pragma once

#include <memory>
#include <string>

#include "base/file.h"
#include "migration/ends.h"
#include "migration/export_line.h"

namespace holdfast::migration {

// The longest line: the largest value of any store (512 MiB) in base64, and what stands beside it.
inline constexpr std::size_t kLineBytesMax = 768u << 20;
// A page ends early once its lines come to this.
inline constexpr std::size_t kFilePageBytesMax = 16u << 20;

class FileSource final : public Source {
 public:
  // Errc::not_found: no such file. Errc::invalid_argument: it is no export file of a format that this version reads, or
  // it was cut off.
  static Result<std::unique_ptr<FileSource>> open(std::string path, std::uint32_t page_max);

  const ExportHeader& header() const { return header_; }
  std::uint64_t records() const { return trailer_.content.count(); }
  // What tells this file from others: the hashes of its last line.
  std::string identity() const { return trailer_.lines.text(); }

  // Errc::invalid_argument names the file, the line and the reason.
  Task<Result<Page>> next(std::string cursor) override;

 private:
  FileSource(std::string path, Descriptor file, std::uint32_t page_max)
      : path_(std::move(path)), file_(std::move(file)), page_max_(page_max) {}

  struct Place;
  std::unexpected<Error> refuse(std::uint64_t line, std::string_view why) const;
  Status read_ends();
  Result<std::string> last_line() const;
  void seek(const Place& place);
  // Without its newline; valid until the next call.
  Result<std::string_view> read_line(std::uint64_t number);
  Result<bool> take_line(Place& place, Page& page);

  const std::string path_;
  const Descriptor file_;
  const std::uint32_t page_max_;
  ExportHeader header_;
  ExportTrailer trailer_;
  std::string buffer_;  // read and not taken yet, from buffer_at_ on
  std::size_t buffer_at_ = 0;
  std::uint64_t offset_ = 0;  // in the file, of buffer_at_
};

class FileSink final : public Sink {
 public:
  // Into a file that is not there yet. It has its name once it is whole, and until then one with ".part" behind it.
  FileSink(std::string path, ExportHeader header) : path_(std::move(path)), header_(std::move(header)) {}
  // To a descriptor that is somebody else's: cannot go on where it was ended.
  FileSink(int fd, ExportHeader header) : stream_(fd), header_(std::move(header)) {}

  std::size_t batches_max() const override { return 1; }
  // Errc::precondition_failed: the file is there already, or what the mark belongs to has gone.
  Status start(std::string_view mark) override;
  Task<Result<Tally>> write(std::vector<state::ListedRecord> batch) override;
  Result<std::string> mark() override;
  Status finish() override;

  const ExportTrailer& trailer() const { return written_; }

 private:
  std::string part() const { return path_ + ".part"; }
  int fd() const { return stream_ >= 0 ? stream_ : file_.get(); }
  Status put(std::string_view bytes);
  Status start_stream();

  const std::string path_;
  const int stream_ = -1;
  const ExportHeader header_;
  Descriptor file_;
  std::uint64_t bytes_ = 0;
  ExportTrailer written_;
  bool is_finished_ = false;
};

}  // namespace holdfast::migration
