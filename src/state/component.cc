#include "state/component.h"
