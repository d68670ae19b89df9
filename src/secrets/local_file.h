// secretstores.local.file: the secrets of one JSON file, read when the component is opened.
#pragma once

#include "secrets/store.h"

namespace holdfast::secrets {

extern const SecretStoreType kLocalFile;

}  // namespace holdfast::secrets
