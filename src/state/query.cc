#include "state/query.h"
