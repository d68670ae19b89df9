#include "cli/state.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <iterator>

#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/state_api.h"
#include "cli/state_command.h"
#include "cli/state_migrate.h"
#include "cli/state_show.h"
#include "cli/state_watch.h"
#include "cli/store_files.h"
#include "daemon/defaults.h"
#include "stores/sqlite/backup.h"

namespace holdfast::cli {

namespace {

using Verb = StateCommand::Verb;

constexpr std::uint64_t kPageMax = 1000;

int complain_of(const HttpResponse& response) { return complain(failure_text(response), exit_code_of(response)); }

int exit_code_of(const Error& error) { return error.code == Errc::not_found ? kNotFound : kFailed; }

int show_got(const StateCommand& command, const HttpResponse& response) {
  if (command.json) return print_or_complain(response.body);
  if (command.record) {
    const auto text = record_text(response.body);
    return text ? print_or_complain(*text) : complain(text.error().message, kFailed);
  }
  const bool wants_newline = ::isatty(STDOUT_FILENO) == 1 && !response.body.ends_with('\n');
  return print_or_complain(wants_newline ? response.body + '\n' : response.body);
}

int show_done(const StateCommand& command, const HttpResponse& response) {
  if (command.verb == Verb::get) return show_got(command, response);
  if (command.json) return print_or_complain(command.verb == Verb::erase ? "{\"deleted\":true}\n" : response.body);
  if (command.verb == Verb::erase) return print_or_complain("deleted\n");
  if (command.verb == Verb::transact) {
    const auto text = transaction_text(response.body);
    return text ? print_or_complain(*text) : complain(text.error().message, kFailed);
  }
  if (!response.body.empty()) return print_or_complain(response.body + '\n');  // what an increment came to
  const std::string_view done = response.status == 201 ? "created" : command.verb == Verb::patch ? "changed" : "saved";
  return print_or_complain(fmt::format("{} {}\n", done, response.header("ETag")));
}

// How far a long deletion is, on a terminal only.
void show_progress(std::uint64_t deleted) {
  if (::isatty(STDERR_FILENO) == 1) std::cerr << "\r" << deleted << " deleted" << std::flush;
}

int run_clear(StateApi& api, const StateCommand& command) {
  std::uint64_t deleted = 0;
  for (bool more = true; more;) {
    const auto response = api.send(clear_request(command));
    if (!response)
      return complain(fmt::format("{} ({} were deleted before)", response.error().message, deleted), kFailed);
    if (exit_code_of(*response) != kDone) return complain_of(*response);
    const auto step = cleared_of(response->body);
    if (!step) return complain(step.error().message, kFailed);
    deleted += step->deleted;
    more = step->more;
    show_progress(deleted);
  }
  if (::isatty(STDERR_FILENO) == 1) std::cerr << "\r\x1b[K" << std::flush;
  return print_or_complain(command.json ? fmt::format("{{\"deleted\":{}}}\n", deleted)
                                        : fmt::format("{} deleted\n", deleted));
}

int run_info(StateApi& api, const StateCommand& command) {
  const auto stores = api.send(stores_request(command));
  if (!stores) return complain(stores.error().message, kFailed);
  if (exit_code_of(*stores) != kDone) return complain_of(*stores);
  const auto health = api.send(health_request(command));
  if (!health) return complain(health.error().message, kFailed);
  const auto text = info_text(stores->body, health->body, command.store, command.json);
  if (text) return print_or_complain(*text);
  return complain(text.error().message, exit_code_of(text.error()));
}

int run_one(StateApi& api, StateCommand& command) {
  if (command.value_from_input) {
    command.value.assign(std::istreambuf_iterator<char>(std::cin), {});
    if (std::cin.bad()) return complain("cannot read standard input", kFailed);
  }
  const auto response = api.send(request_of(command));
  if (!response) return complain(response.error().message, kFailed);
  if (exit_code_of(*response) != kDone) return complain_of(*response);
  return show_done(command, *response);
}

int run_list(StateApi& api, const StateCommand& command) {
  std::string cursor;
  std::uint64_t shown = 0;
  if (command.json && !print("[")) return kFailed;
  do {
    const std::uint64_t left = command.limit == 0 ? kPageMax : std::min(kPageMax, command.limit - shown);
    const auto response = api.send(page_request(command, left, cursor));
    if (!response) return complain(response.error().message, kFailed);
    if (exit_code_of(*response) != kDone) return complain_of(*response);
    const auto page = page_of(response->body, command.values, command.json, shown == 0);
    if (!page) return complain(page.error().message, kFailed);
    if (!print(page->text)) return complain("cannot write to standard output", kFailed);
    shown += page->items;
    cursor = page->cursor;
  } while (!cursor.empty() && (command.limit == 0 || shown < command.limit));
  return command.json ? print_or_complain("]\n") : kDone;
}

Result<std::unique_ptr<StateApi>> api_of(const StateCommand& command) {
  if (!command.resources_paths.empty()) {
    const bool writes = command.verb == Verb::put || command.verb == Verb::patch || command.verb == Verb::transact;
    return open_store_files({command.resources_paths, command.store, command.app_id, writes});
  }
  auto address = parse_address(command.address);
  if (!address) return fail(std::move(address.error()));
  return sidecar_at(std::move(*address));
}

// The component that a sidecar started here would open under that name.
Result<state::Component> find_component(const StateCommand& command) {
  const auto environment = config::process_environment();
  std::vector<std::string> paths = command.resources_paths;
  if (paths.empty()) {
    const std::string found = daemon::find_resources(environment);
    if (!found.empty()) paths.push_back(found);
  }
  if (paths.empty()) {
    auto fallback = daemon::default_store(environment);
    if (!fallback || fallback->name == command.store) return fallback;
    return fail(Errc::not_found,
                fmt::format("there is no component file here, and the default store is \"{}\", not \"{}\"; name the "
                            "files with --resources-path",
                            fallback->name, command.store));
  }
  return find_store(paths, command.store, command.app_id);
}

int run_watch(const StateCommand& command) {
  auto address = parse_address(command.address);
  return address ? run_watch(command, std::move(*address)) : complain(address.error().message, kMisused);
}

int run_backup(const StateCommand& command) {
  const auto component = find_component(command);
  if (!component) return complain(printable(component.error().message), exit_code_of(component.error()));
  if (!is_sqlite(*component))
    return complain(fmt::format("component \"{}\" is a {}; only files of state.sqlite can be copied", component->name,
                                component->type),
                    kFailed);
  if (const auto done = stores::sqlite::backup(*component, command.file); !done)
    return complain(done.error().message, exit_code_of(done.error()));
  return print_or_complain(command.json ? "{\"done\":true}\n" : fmt::format("copied to {}\n", command.file));
}

// A verb that its row alone describes.
int run_migration(const CommandRow& row, const std::vector<std::string>& arguments) {
  const auto parsed = parse_arguments(row, fmt::format("holdfast state {}", row.name), std::span(arguments).subspan(1));
  if (!parsed) return complain(parsed.error().message + "\n\"holdfast state help\" says how it is used", kMisused);
  return parsed->help ? print_or_complain(command_help(*find_row(commands(), "state"))) : row.run(*parsed);
}

}  // namespace

int run_state(const std::vector<std::string>& arguments) {
  if (!arguments.empty())
    if (const CommandRow* row = find_row(migration_verbs(), arguments[0])) return run_migration(*row, arguments);
  auto command = parse_state_command(arguments, config::process_environment());
  if (!command) return complain(command.error().message + "\n\"holdfast state help\" says how it is used", kMisused);
  if (command->verb == Verb::help) return print_or_complain(command_help(*find_row(commands(), "state")));
  if (command->verb == Verb::backup) return run_backup(*command);
  if (command->verb == Verb::watch) return run_watch(*command);
  const auto api = api_of(*command);
  if (!api)
    return complain(printable(api.error().message),
                    command->resources_paths.empty() ? kMisused : exit_code_of(api.error()));
  if (command->verb == Verb::list) return run_list(**api, *command);
  if (command->verb == Verb::clear) return run_clear(**api, *command);
  if (command->verb == Verb::info) return run_info(**api, *command);
  return run_one(**api, *command);
}

}  // namespace holdfast::cli
