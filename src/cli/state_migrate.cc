#include "cli/state_migrate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "base/encoding.h"
#include "base/number.h"
#include "cli/output.h"
#include "cli/state_options.h"
#include "cli/store_files.h"
#include "cli/transfer.h"
#include "daemon/events.h"
#include "migration/export_file.h"
#include "migration/report.h"
#include "migration/store_ends.h"
#include "net/loop_thread.h"

namespace holdfast::cli {
namespace {

using migration::Existing;
using migration::Kept;

constexpr std::uint32_t kBatchDefault = 256;
constexpr std::uint32_t kBatchMax = 1000;

constexpr OptionRow kFrom{.name = "from",
                          .argument = "PATH",
                          .help = "component file, or directory of them, of the store to read",
                          .completes = Completes::files};
constexpr OptionRow kFromStore{
    .name = "from-store", .argument = "NAME", .help = "which component, where --from has several"};
constexpr OptionRow kTo{.name = "to",
                        .argument = "PATH",
                        .help = "component file, or directory of them, of the store to write",
                        .completes = Completes::files};
constexpr OptionRow kToStore{.name = "to-store", .argument = "NAME", .help = "which component, where --to has several"};
constexpr OptionRow kPrefix{
    .name = "prefix", .argument = "PREFIX", .help = "only stored keys that begin so, such as \"orders||\""};
constexpr OptionRow kToPrefix{
    .name = "to-prefix", .argument = "PREFIX", .help = "what stands in the target in the place of --prefix"};
constexpr OptionRow kBatch{.name = "batch", .argument = "N", .help = "records in one batch; by default 256"};
constexpr OptionRow kResume{.name = "resume",
                            .argument = "FILE",
                            .help = "where it is kept how far it has come; by default holdfast-migration-FROM-TO.state",
                            .completes = Completes::files};
constexpr OptionRow kOverwrite{.name = "overwrite", .help = "write over records of the target that differ"};
constexpr OptionRow kSkipExisting{.name = "skip-existing",
                                  .help = "leave records of the target that differ, and do not call it a failure"};
constexpr OptionRow kDropTtl{.name = "drop-ttl",
                             .help = "write records with an expiry without it, where the target has none"};
constexpr OptionRow kDryRun{.name = "dry-run", .help = "compare only, and say what would be written"};
constexpr OptionRow kVerify{.name = "verify", .help = "compare every record afterwards; this is the default"};
constexpr OptionRow kNoVerify{.name = "no-verify", .help = "do not compare afterwards"};
constexpr OptionRow kOutput{.name = "output",
                            .argument = "FILE",
                            .help = "the export file; without it, standard output",
                            .completes = Completes::files};

constexpr OptionRow kMigrateOptions[] = {kFrom,      kTo,      kPrefix,      kToPrefix,  kOverwrite, kSkipExisting,
                                         kDropTtl,   kDryRun,  kVerify,      kNoVerify,  kResume,    kBatch,
                                         kFromStore, kToStore, kAppIdOption, kJsonOption};
constexpr OptionRow kExportOptions[] = {kFrom,  kPrefix,    kOutput,      kResume,
                                        kBatch, kFromStore, kAppIdOption, kJsonOption};
constexpr OptionRow kImportOptions[] = {kTo,      kPrefix,  kToPrefix,    kOverwrite, kSkipExisting,
                                        kDropTtl, kDryRun,  kVerify,      kNoVerify,  kResume,
                                        kBatch,   kToStore, kAppIdOption, kJsonOption};

std::unexpected<Error> misused(std::string text) { return fail(Errc::invalid_argument, std::move(text)); }

// Of all three commands.
struct Request {
  std::string from;
  std::string from_store;
  std::string to;
  std::string to_store;
  std::string file;  // of import and export; empty: standard output
  std::string app_id;
  std::string state_file;  // as the user named it
  migration::PumpOptions pump;
  migration::TargetPolicy policy;
  std::uint32_t batch = kBatchDefault;
  bool dry_run = false;
  bool verify = true;
  bool json = false;
};

Result<Request> read_request(const ParsedArguments& arguments) {
  Request request;
  request.from = arguments.value("from");
  request.from_store = arguments.value("from-store");
  request.to = arguments.value("to");
  request.to_store = arguments.value("to-store");
  request.file = arguments.words.empty() ? arguments.value("output") : arguments.words[0];
  request.app_id = arguments.value("app-id", "app");
  request.state_file = arguments.value("resume");
  request.pump.prefix = arguments.value("prefix");
  request.pump.to_prefix = arguments.value("to-prefix", request.pump.prefix);
  request.dry_run = arguments.has("dry-run");
  request.json = arguments.has("json");
  request.verify = !arguments.has("no-verify");
  request.policy.drop_ttl = arguments.has("drop-ttl");
  if (arguments.has("overwrite")) request.policy.existing = Existing::replace;
  if (arguments.has("skip-existing")) request.policy.existing = Existing::skip;
  if (arguments.has("overwrite") && arguments.has("skip-existing"))
    return misused("--overwrite and --skip-existing exclude each other");
  if (arguments.has("verify") && arguments.has("no-verify"))
    return misused("--verify and --no-verify exclude each other");
  if (const std::string text = arguments.value("batch"); !text.empty()) {
    if (!read_number(text, request.batch) || request.batch == 0 || request.batch > kBatchMax)
      return misused(fmt::format("--batch takes a number from 1 to {}", kBatchMax));
  }
  return request;
}

Result<state::Component> find_end(const std::string& path, const std::string& name, const Request& request,
                                  std::string_view option) {
  if (path.empty()) return misused(fmt::format("{} names the component file of a store, and is missing", option));
  auto component = find_store({path}, name, request.app_id, fmt::format("{}-store", option));
  if (component)
    if (auto allowed = refuse_memory(*component); !allowed) return fail(std::move(allowed.error()));
  return component;
}

std::string state_file_of(const Request& request, std::string_view from, std::string_view to) {
  if (request.dry_run) return "";
  if (!request.state_file.empty()) return request.state_file;
  return fmt::format("./holdfast-migration-{}-{}.state", percent_encode(from), percent_encode(to));
}

// Why it failed, and from where it goes on.
int show_failure(const Error& error, const std::string& state_file) {
  if (error.code == Errc::invalid_argument && state_file.empty()) return complain(printable(error.message), kMisused);
  std::error_code ignored;
  std::string text = printable(error.message);
  if (!state_file.empty() && std::filesystem::exists(state_file, ignored))
    text += fmt::format("\nWhat was done is kept in {}; the same command goes on from there", state_file);
  return complain(text, kFailed);
}

// The one who asked to stop has to know how to go on.
int show_stop(const Transferred& done, const std::string& state_file) {
  const auto copied = done.journal.copy.tally[migration::Count::read];
  return complain(state_file.empty()
                      ? fmt::format("stopped after {} records", copied)
                      : fmt::format("stopped after {} records; {} says where, and the same command goes on from there",
                                    copied, state_file),
                  kInterrupted);
}

int show_summary(const migration::Summary& summary, const Request& request, bool to_output) {
  const std::string text = request.json ? json_of(summary) : text_of(summary);
  const int code = is_success(summary) ? kDone : kFailed;
  if (!to_output) {
    std::cerr << text;
    return code;
  }
  const int printed = print_or_complain(text);
  return printed != kDone ? printed : code;
}

// Everything that the commands have open.
struct Ends {
  explicit Ends(Request asked) : request(std::move(asked)) {}

  const Request request;
  Cancellation stop;
  daemon::Events events;  // before any thread
  net::LoopThread running;
  std::unique_ptr<OpenedStore> from;
  std::unique_ptr<OpenedStore> to;
};

std::string policy_of(const Request& request) {
  static constexpr std::string_view kNames[] = {"refuse", "skip", "replace"};
  return fmt::format("{}{}", kNames[static_cast<std::size_t>(request.policy.existing)],
                     request.policy.drop_ttl ? " drop-ttl" : "");
}

migration::Journal fresh_journal(const Request& request, std::string from, std::string to, std::string_view identity) {
  migration::Journal journal;
  journal.policy = policy_of(request);
  journal.from = std::move(from);
  journal.to = std::move(to);
  const migration::Hash hash = migration::sha256(identity);
  journal.identity = hex_encode({reinterpret_cast<const char*>(hash.data()), hash.size()});
  journal.began = Clock::system().wall();
  return journal;
}

// From anywhere into a store.
int write_to_store(Ends& ends, migration::Source& source, const Kept& kept, const state::Capabilities& source_can,
                   migration::Journal fresh, const std::string& state_file) {
  const Request& request = ends.request;
  auto journal = begin_journal(state_file, std::move(fresh));
  if (!journal) return show_failure(journal.error(), state_file);
  net::Loop& loop = ends.running.loop();
  state::StateStore& target = ends.to->store();
  migration::TargetPolicy policy = request.policy;
  policy.stop = &ends.stop;
  migration::StoreSink sink(target, loop, Clock::system(), policy, kept);
  migration::Comparison check(target, loop, Clock::system(), policy, kept, journal->began);
  const bool compares = request.verify && !request.dry_run;
  migration::Sink& first = request.dry_run ? static_cast<migration::Sink&>(check) : sink;
  const Transfer transfer{source, first, compares ? &check : nullptr, request.pump, ends.stop, state_file};
  auto done = run_transfer(transfer, std::move(*journal), loop, ends.events);
  if (!done) return show_failure(done.error(), state_file);
  if (done->was_stopped) return show_stop(*done, state_file);
  migration::Summary summary{.journal = std::move(done->journal),
                             .existing = request.policy.existing,
                             .is_rehearsal = request.dry_run,
                             .is_compared = request.verify,
                             .notes = migration::notes_on(source_can, target.capabilities())};
  if (request.dry_run) summary.journal.check = summary.journal.copy;
  return show_summary(summary, request, true);
}

Result<std::unique_ptr<OpenedStore>> open_source(Ends& ends, const state::Component& component) {
  auto opened = OpenedStore::open(component, ends.running.loop());
  if (opened && !(*opened)->store().capabilities().list)
    return fail(Errc::unsupported,
                fmt::format("{} cannot list its keys, so its records cannot be found", (*opened)->full_name()));
  return opened;
}

Status open_both(Ends& ends) {
  const Request& request = ends.request;
  const auto from = find_end(request.from, request.from_store, request, "--from");
  if (!from) return fail(from.error());
  const auto to = find_end(request.to, request.to_store, request, "--to");
  if (!to) return fail(to.error());
  auto source = open_source(ends, *from);
  if (!source) return fail(std::move(source.error()));
  ends.from = std::move(*source);
  auto target = OpenedStore::open(*to, ends.running.loop());
  if (!target) return fail(std::move(target.error()));
  ends.to = std::move(*target);
  const migration::PumpOptions& pump = request.pump;
  const bool overlap = pump.to_prefix.starts_with(pump.prefix) || pump.prefix.starts_with(pump.to_prefix);
  if (overlap && ends.from->identity() == ends.to->identity())
    return misused(
        "--from and --to are the same store; in one store, --prefix and --to-prefix have to say what becomes "
        "what, and neither may begin with the other");
  return {};
}

int run_migrate(const ParsedArguments& arguments) {
  auto request = read_request(arguments);
  if (!request) return show_failure(request.error(), "");
  quiet_stores();
  Ends ends(std::move(*request));
  if (auto opened = open_both(ends); !opened) return show_failure(opened.error(), "");
  const migration::PumpOptions& pump = ends.request.pump;
  state::StateStore& from = ends.from->store();
  migration::StoreSource source(from, Clock::system(), pump.prefix, ends.request.batch);
  const std::string identity = fmt::format("{}\n{}\n{}\n{}", ends.from->identity(), ends.to->identity(),
                                           percent_encode(pump.prefix), percent_encode(pump.to_prefix));
  const std::string state_file = state_file_of(ends.request, ends.from->name(), ends.to->name());
  return write_to_store(ends, source, Kept::by(from.capabilities()), from.capabilities(),
                        fresh_journal(ends.request, ends.from->full_name(), ends.to->full_name(), identity),
                        state_file);
}

int run_import(const ParsedArguments& arguments) {
  auto request = read_request(arguments);
  if (!request) return show_failure(request.error(), "");
  quiet_stores();
  Ends ends(std::move(*request));
  auto source = migration::FileSource::open(ends.request.file, ends.request.batch);
  if (!source) return complain(printable(source.error().message), kFailed);
  const auto to = find_end(ends.request.to, ends.request.to_store, ends.request, "--to");
  if (!to) return show_failure(to.error(), "");
  auto opened = OpenedStore::open(*to, ends.running.loop());
  if (!opened) return complain(printable(opened.error().message), kFailed);
  ends.to = std::move(*opened);
  const migration::PumpOptions& pump = ends.request.pump;
  const std::string identity = fmt::format("{}\n{}\n{}\n{}", (*source)->identity(), ends.to->identity(),
                                           percent_encode(pump.prefix), percent_encode(pump.to_prefix));
  const std::string name = std::filesystem::path(ends.request.file).filename().string();
  state::Capabilities file_can;
  file_can.record_fields = file_can.ttl = true;
  return write_to_store(ends, **source, Kept(), file_can,
                        fresh_journal(ends.request, ends.request.file, ends.to->full_name(), identity),
                        state_file_of(ends.request, name, ends.to->name()));
}

migration::ExportHeader header_of(const Ends& ends) {
  return {.program = "holdfast " HOLDFAST_VERSION,
          .from = ends.from->full_name(),
          .prefix = ends.request.pump.prefix,
          .exported = rfc3339_seconds(Clock::system().wall())};
}

int run_export(const ParsedArguments& arguments) {
  auto request = read_request(arguments);
  if (!request) return show_failure(request.error(), "");
  quiet_stores();
  Ends ends(std::move(*request));
  const std::string& file = ends.request.file;
  const auto from = find_end(ends.request.from, ends.request.from_store, ends.request, "--from");
  if (!from) return show_failure(from.error(), "");
  auto opened = open_source(ends, *from);
  if (!opened) return complain(printable(opened.error().message), kFailed);
  ends.from = std::move(*opened);
  const bool to_file = !file.empty() && file != "-";
  const std::string state_file =
      to_file ? state_file_of(ends.request, ends.from->name(), std::filesystem::path(file).filename().string()) : "";
  const std::string target = to_file ? file : "standard output";
  const std::string identity = fmt::format("{}\n{}\n{}", ends.from->identity(), percent_encode(target),
                                           percent_encode(ends.request.pump.prefix));
  auto journal = begin_journal(state_file, fresh_journal(ends.request, ends.from->full_name(), target, identity));
  if (!journal) return show_failure(journal.error(), state_file);
  migration::StoreSource source(ends.from->store(), Clock::system(), ends.request.pump.prefix, ends.request.batch);
  migration::FileSink sink =
      to_file ? migration::FileSink(file, header_of(ends)) : migration::FileSink(STDOUT_FILENO, header_of(ends));
  const Transfer transfer{source, sink, nullptr, ends.request.pump, ends.stop, state_file};
  auto done = run_transfer(transfer, std::move(*journal), ends.running.loop(), ends.events);
  if (!done) return show_failure(done.error(), state_file);
  if (done->was_stopped) return show_stop(*done, state_file);
  return show_summary({.journal = std::move(done->journal), .is_compared = false, .notes = {}}, ends.request, to_file);
}

constexpr CommandRow kRows[] = {
    {.name = "migrate",
     .summary = "copy every record of one component into another, and compare",
     .options = kMigrateOptions,
     .run = run_migrate},
    {.name = "export",
     .summary = "write every record of a component into a file of JSON lines",
     .options = kExportOptions,
     .run = run_export},
    {.name = "import",
     .arguments = "FILE",
     .summary = "write the records of an export file into a component, and compare",
     .options = kImportOptions,
     .words_min = 1,
     .words_max = 1,
     .completes = Completes::files,
     .run = run_import},
};

}  // namespace

std::span<const CommandRow> migration_verbs() { return kRows; }

}  // namespace holdfast::cli
