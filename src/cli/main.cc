// holdfast: the sidecar, in daprd's place (`holdfast --app-id ...`) or by itself (`holdfast serve`), and the tools
// beside it (cli/commands.cc).
#include "cli/commands.h"

int main(int argc, char** argv) { return holdfast::cli::run_program({argv + 1, argv + argc}); }
