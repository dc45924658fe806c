#include "harness/wire/field.h"

#include <cstring>

namespace tsih::wire {
namespace {

using namespace field;

// The figures, one a table. Opcode, I, the lengths and the tags come first as on the wire.
constexpr Field kNopOut[] = {immediate,           final,  total_ahs_length,
                             data_segment_length, lun,    initiator_task_tag,
                             target_transfer_tag, cmd_sn, exp_stat_sn};
constexpr Field kScsiCommand[] = {immediate,
                                  final,
                                  read,
                                  write,
                                  attribute,
                                  total_ahs_length,
                                  data_segment_length,
                                  lun,
                                  initiator_task_tag,
                                  expected_data_transfer_length,
                                  cmd_sn,
                                  exp_stat_sn,
                                  cdb_high,
                                  cdb_low};
constexpr Field kTaskManagementRequest[] = {immediate,
                                            final,
                                            function,
                                            total_ahs_length,
                                            data_segment_length,
                                            lun,
                                            initiator_task_tag,
                                            referenced_task_tag,
                                            cmd_sn,
                                            exp_stat_sn,
                                            ref_cmd_sn,
                                            exp_data_sn};
constexpr Field kLoginRequest[] = {
    immediate,   transit,          continues,           csg,  nsg,  version_max,
    version_min, total_ahs_length, data_segment_length, isid, tsih, initiator_task_tag,
    cid,         cmd_sn,           exp_stat_sn};
constexpr Field kTextRequest[] = {immediate,
                                  final,
                                  continues,
                                  total_ahs_length,
                                  data_segment_length,
                                  lun,
                                  initiator_task_tag,
                                  target_transfer_tag,
                                  cmd_sn,
                                  exp_stat_sn};
constexpr Field kDataOut[] = {final,
                              total_ahs_length,
                              data_segment_length,
                              lun,
                              initiator_task_tag,
                              target_transfer_tag,
                              exp_stat_sn,
                              data_sn,
                              buffer_offset};
constexpr Field kLogoutRequest[] = {
    immediate,          final, logout_reason, total_ahs_length, data_segment_length,
    initiator_task_tag, cid,   cmd_sn,        exp_stat_sn};
constexpr Field kSnackRequest[] = {
    final,   snack_type,         total_ahs_length,    data_segment_length,
    lun,     initiator_task_tag, target_transfer_tag, exp_stat_sn,
    beg_run, run_length};
constexpr Field kNopIn[] = {final,   total_ahs_length,   data_segment_length,
                            lun,     initiator_task_tag, target_transfer_tag,
                            stat_sn, exp_cmd_sn,         max_cmd_sn};
constexpr Field kScsiResponse[] = {
    final,       bidi_overflow,    bidi_underflow,      overflow,           underflow, response,
    scsi_status, total_ahs_length, data_segment_length, initiator_task_tag, snack_tag, stat_sn,
    exp_cmd_sn,  max_cmd_sn,       exp_data_sn,         bidi_residual,      residual};
constexpr Field kTaskManagementResponse[] = {
    final,   response,   total_ahs_length, data_segment_length, initiator_task_tag,
    stat_sn, exp_cmd_sn, max_cmd_sn};
constexpr Field kLoginResponse[] = {
    transit,          continues,           csg,   nsg,  version_max,        version_active,
    total_ahs_length, data_segment_length, isid,  tsih, initiator_task_tag, stat_sn,
    exp_cmd_sn,       max_cmd_sn,          status};
constexpr Field kTextResponse[] = {
    final,      continues,          total_ahs_length,    data_segment_length,
    lun,        initiator_task_tag, target_transfer_tag, stat_sn,
    exp_cmd_sn, max_cmd_sn};
constexpr Field kDataIn[] = {final,
                             acknowledge,
                             overflow,
                             underflow,
                             has_status,
                             scsi_status,
                             total_ahs_length,
                             data_segment_length,
                             lun,
                             initiator_task_tag,
                             target_transfer_tag,
                             stat_sn,
                             exp_cmd_sn,
                             max_cmd_sn,
                             data_sn,
                             buffer_offset,
                             residual};
constexpr Field kLogoutResponse[] = {
    final,   response,   total_ahs_length, data_segment_length, initiator_task_tag,
    stat_sn, exp_cmd_sn, max_cmd_sn,       time2wait,           time2retain};
constexpr Field kR2t[] = {
    final,   total_ahs_length, data_segment_length, lun,    initiator_task_tag, target_transfer_tag,
    stat_sn, exp_cmd_sn,       max_cmd_sn,          r2t_sn, buffer_offset,      desired_length};
constexpr Field kAsyncMessage[] = {
    final,      total_ahs_length, data_segment_length, lun,         initiator_task_tag,
    stat_sn,    exp_cmd_sn,       max_cmd_sn,          async_event, async_vcode,
    parameter1, parameter2,       parameter3};
constexpr Field kReject[] = {
    final,      reject_reason, total_ahs_length, data_segment_length, initiator_task_tag, stat_sn,
    exp_cmd_sn, max_cmd_sn,    data_sn};

struct Figure {
  Opcode opcode;
  std::string_view name;
  std::span<const Field> fields;
};

constexpr Figure kFigures[] = {
    {Opcode::nop_out, "NOP-Out", kNopOut},
    {Opcode::scsi_command, "SCSI Command", kScsiCommand},
    {Opcode::task_management_request, "Task Management Request", kTaskManagementRequest},
    {Opcode::login_request, "Login Request", kLoginRequest},
    {Opcode::text_request, "Text Request", kTextRequest},
    {Opcode::data_out, "Data-Out", kDataOut},
    {Opcode::logout_request, "Logout Request", kLogoutRequest},
    {Opcode::snack_request, "SNACK Request", kSnackRequest},
    {Opcode::nop_in, "NOP-In", kNopIn},
    {Opcode::scsi_response, "SCSI Response", kScsiResponse},
    {Opcode::task_management_response, "Task Management Response", kTaskManagementResponse},
    {Opcode::login_response, "Login Response", kLoginResponse},
    {Opcode::text_response, "Text Response", kTextResponse},
    {Opcode::data_in, "Data-In", kDataIn},
    {Opcode::logout_response, "Logout Response", kLogoutResponse},
    {Opcode::r2t, "R2T", kR2t},
    {Opcode::async_message, "Async Message", kAsyncMessage},
    {Opcode::reject, "Reject", kReject},
};

const Figure* figure(std::uint8_t opcode) {
  for (const Figure& candidate : kFigures)
    if (static_cast<std::uint8_t>(candidate.opcode) == opcode) return &candidate;
  return nullptr;
}

}  // namespace

std::string_view opcode_name(std::uint8_t opcode) {
  const Figure* found = figure(opcode);
  return found ? found->name : std::string_view{};
}

std::span<const Field> layout(std::uint8_t opcode) {
  const Figure* found = figure(opcode);
  return found ? found->fields : std::span<const Field>{};
}

void reserved_bits(std::uint8_t opcode, HeaderMask& mask) {
  const auto fields = layout(opcode);
  std::memset(mask, fields.empty() ? 0 : 0xff, sizeof mask);
  mask[0] &= 0xc0;  // the opcode itself
  for (const Field& field : fields)
    for (unsigned i = 0; i < field.bits; ++i) {
      const unsigned at = field.bit + i;
      mask[field.byte + at / 8] &= static_cast<std::uint8_t>(~(0x80u >> (at % 8)));
    }
}

}  // namespace tsih::wire
