// The documentation's page of commands, written from the tables that dispatch them.
#pragma once

#include <string>

namespace tsihd::scsi {

/// docs/scsi-commands.md, whole.
std::string command_page();

}  // namespace tsihd::scsi
