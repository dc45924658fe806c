// Who the initiator under test and the scripted target are to each other, with CHAP. Drivers say
// the same (drivers/).
#pragma once

namespace tsih::initiators {

inline constexpr const char* kChapUser = "judged";
inline constexpr const char* kChapSecret = "of-the-initiator";  ///< 16 bytes, above the 12 of 8.2.1
inline constexpr const char* kChapTargetUser = "judge";
inline constexpr const char* kChapTargetSecret = "and-of-the-target";

}  // namespace tsih::initiators
