#include "cli/state.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <iterator>

#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/http_client.h"
#include "cli/output.h"
#include "cli/state_command.h"
#include "cli/state_migrate.h"
#include "cli/state_show.h"
#include "daemon/defaults.h"
#include "stores/sqlite/backup.h"

namespace holdfast::cli {

namespace {

using Verb = StateCommand::Verb;

constexpr std::uint64_t kPageMax = 1000;

int complain_of(const HttpResponse& response) { return complain(failure_text(response), exit_code_of(response)); }

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

int run_clear(const Address& address, const StateCommand& command) {
  std::uint64_t deleted = 0;
  for (bool more = true; more;) {
    const auto response = send(address, clear_request(command));
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

int run_info(const Address& address, const StateCommand& command) {
  const auto stores = send(address, stores_request(command));
  if (!stores) return complain(stores.error().message, kFailed);
  if (exit_code_of(*stores) != kDone) return complain_of(*stores);
  const auto health = send(address, health_request(command));
  if (!health) return complain(health.error().message, kFailed);
  const auto text = info_text(stores->body, health->body, command.store, command.json);
  if (text) return print_or_complain(*text);
  return complain(text.error().message, text.error().code == Errc::not_found ? kNotFound : kFailed);
}

int run_one(const Address& address, StateCommand& command) {
  if (command.value_from_input) {
    command.value.assign(std::istreambuf_iterator<char>(std::cin), {});
    if (std::cin.bad()) return complain("cannot read standard input", kFailed);
  }
  const auto response = send(address, request_of(command));
  if (!response) return complain(response.error().message, kFailed);
  if (exit_code_of(*response) != kDone) return complain_of(*response);
  return show_done(command, *response);
}

int run_list(const Address& address, const StateCommand& command) {
  std::string cursor;
  std::uint64_t shown = 0;
  if (command.json && !print("[")) return kFailed;
  do {
    const std::uint64_t left = command.limit == 0 ? kPageMax : std::min(kPageMax, command.limit - shown);
    const auto response = send(address, page_request(command, left, cursor));
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

// The component that a sidecar started here would open under that name.
Result<state::Component> find_component(const StateCommand& command) {
  const auto environment = config::process_environment();
  std::vector<std::string> directories = command.resources_paths;
  if (directories.empty()) {
    const std::string found = daemon::find_resources(environment);
    if (!found.empty()) directories.push_back(found);
  }
  if (directories.empty()) {
    auto fallback = daemon::default_store(environment);
    if (!fallback || fallback->name == command.store) return fallback;
    return fail(Errc::not_found,
                fmt::format("there is no component file here, and the default store is \"{}\", not \"{}\"; name the "
                            "directory with --resources-path",
                            fallback->name, command.store));
  }
  config::LoadOptions options;
  options.app_id = command.app_id;
  const auto resources = config::load_resources(directories, options);
  if (!resources) return fail(resources.error());
  std::string known;
  for (const state::Component& component : resources->state_stores) {
    if (component.name == command.store) return component;
    known += (known.empty() ? "" : ", ") + component.name;
  }
  return fail(Errc::not_found,
              fmt::format("no component \"{}\" in {} for app id \"{}\"; there: {}", command.store,
                          fmt::join(directories, ", "), command.app_id, known.empty() ? "none" : known));
}

int run_backup(const StateCommand& command) {
  const auto component = find_component(command);
  if (!component)
    return complain(component.error().message, component.error().code == Errc::not_found ? kNotFound : kFailed);
  if (!iequals(component->type, "state.sqlite") && !iequals(component->type, "state.sqlite3"))
    return complain(fmt::format("component \"{}\" is a {}; only files of state.sqlite can be copied", component->name,
                                component->type),
                    kFailed);
  if (const auto done = stores::sqlite::backup(*component, command.file); !done)
    return complain(done.error().message, done.error().code == Errc::not_found ? kNotFound : kFailed);
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
  const auto address = parse_address(command->address);
  if (!address) return complain(address.error().message, kMisused);
  if (command->verb == Verb::list) return run_list(*address, *command);
  if (command->verb == Verb::clear) return run_clear(*address, *command);
  if (command->verb == Verb::info) return run_info(*address, *command);
  return run_one(*address, *command);
}

}  // namespace holdfast::cli
