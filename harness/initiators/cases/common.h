// What every file of cases wants to say in short.
#pragma once

#include <fmt/format.h>

#include "harness/initiators/trial.h"

using namespace tsih::initiators;  // NOLINT: a case file is a text about conversations
using tsih::suite::judges;
using tsih::suite::should;
using tsih::suite::unh;
using tsih::wire::Bytes;
using tsih::wire::describe;
using tsih::wire::kReservedTag;
using tsih::wire::Opcode;
using tsih::wire::Pdu;
using tsih::wire::TextKeys;
namespace field = tsih::wire::field;
