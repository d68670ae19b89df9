// secretstores.local.env: variables of the sidecar's environment.
#pragma once

#include "secrets/store.h"

namespace holdfast::secrets {

extern const SecretStoreType kLocalEnv;

}  // namespace holdfast::secrets
