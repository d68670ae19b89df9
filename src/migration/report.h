// What a migration has to say at its end, to a person and to a program. Pure.
#pragma once

#include <string>
#include <vector>

#include "migration/journal.h"
#include "migration/store_ends.h"
#include "state/capabilities.h"

namespace holdfast::migration {

struct Summary {
  Journal journal;
  Existing existing = Existing::refuse;
  bool is_rehearsal = false;  // --dry-run: journal.check alone, and nothing was written
  bool is_compared = true;    // false with --no-verify
  std::vector<std::string> notes;
};

// What can be said of two stores before anything is read: what the target lacks. Sentences without a full stop.
std::vector<std::string> notes_on(const state::Capabilities& source, const state::Capabilities& target);

// Whether the target has all that it should. What a rehearsal finds to be missing is no failure of it.
bool is_success(const Summary& summary);

std::string text_of(const Summary& summary);  // lines
std::string json_of(const Summary& summary);  // one object and a newline

}  // namespace holdfast::migration
