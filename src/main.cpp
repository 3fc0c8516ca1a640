#include "mobileone/cli/commands.h"

int main(int argc, char** argv) { return mobileone::cli::run(argc, argv); }
