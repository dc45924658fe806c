#include "harness/mutants/mutation.h"

#include <algorithm>
#include <atomic>
#include <memory>

namespace tsih::mutants {

using namespace tsih::wire;

Mutation only(Opcode opcode, const std::function<std::vector<Pdu>(Pdu, const Passing&)>& change) {
  return [=](const Passing& passing) -> std::vector<Pdu> {
    if (!passing.pdu.is(opcode)) return {passing.pdu};
    return change(passing.pdu, passing);
  };
}

Mutation setting(Opcode opcode, Field where, std::uint64_t value) {
  return only(opcode, [=](Pdu pdu, const Passing&) { return std::vector{pdu.set(where, value)}; });
}

Mutation adding(Opcode opcode, Field where, std::int64_t value) {
  return only(opcode, [=](Pdu pdu, const Passing&) {
    return std::vector{pdu.set(where, pdu[where] + static_cast<std::uint64_t>(value))};
  });
}

Mutation with_data(Opcode opcode, const std::function<void(Bytes&)>& change) {
  return only(opcode, [=](Pdu pdu, const Passing&) {
    change(pdu.data);
    return std::vector{pdu};
  });
}

Mutation with_key(const std::string& key, const std::optional<std::string>& value) {
  return [=](const Passing& passing) -> std::vector<Pdu> {
    Pdu pdu = passing.pdu;
    if (!pdu.is(Opcode::login_response) && !pdu.is(Opcode::text_response)) return {pdu};
    TextKeys keys = parse_text(pdu.data).keys;
    if (!keys.has(key)) return {pdu};
    if (value)
      keys.set(key, *value);
    else
      keys.remove(key);
    pdu.data = encode_text(keys);
    return {pdu};
  };
}

Mutation login_always_succeeds() {
  return only(Opcode::login_response, [](Pdu pdu, const Passing& passing) {
    if (pdu[field::status] != 0) {
      pdu.set(field::status, 0);
      pdu.set(field::transit, passing.last_request[field::transit]);
      pdu.set(field::csg, passing.last_request[field::csg]);
      pdu.set(field::nsg, passing.last_request[field::nsg]);
      pdu.set(field::tsih, 7);
    }
    return std::vector{pdu};
  });
}

Mutation failing_with(std::uint16_t status) {
  return only(Opcode::login_response, [=](Pdu pdu, const Passing&) {
    if (pdu[field::status] != 0) pdu.set(field::status, status);
    return std::vector{pdu};
  });
}

Mutation instead_of_reject(Opcode opcode) {
  return only(Opcode::reject, [=](const Pdu& reject, const Passing& passing) {
    Pdu pdu(opcode);
    pdu.set(field::final, 1);
    pdu.set(field::initiator_task_tag, passing.last_request[field::initiator_task_tag]);
    pdu.set(field::target_transfer_tag, kReservedTag);
    pdu.set(field::stat_sn, reject[field::stat_sn]);
    pdu.set(field::exp_cmd_sn, reject[field::exp_cmd_sn]);
    pdu.set(field::max_cmd_sn, reject[field::max_cmd_sn]);
    return std::vector{pdu};
  });
}

Mutation both(const Mutation& first, const Mutation& second) {
  return [=](const Passing& passing) {
    std::vector<Pdu> result;
    for (const Pdu& changed : first(passing)) {
      Passing again = passing;
      again.pdu = changed;
      for (const Pdu& pdu : second(again)) result.push_back(pdu);
    }
    return result;
  };
}

Mutation from_connection(unsigned first, const Mutation& mutation) {
  const auto connections = std::make_shared<std::atomic<unsigned>>(0);
  return [=](const Passing& passing) {
    if (passing.number == 0) ++*connections;
    return *connections >= first ? mutation(passing) : std::vector{passing.pdu};
  };
}

Mutation unchanged() {
  return [](const Passing& passing) { return std::vector{passing.pdu}; };
}

Mutation good_before_pong(std::size_t nth_last) {
  return only(Opcode::nop_in, [=](const Pdu& pong, const Passing& passing) {
    std::vector<Pdu> commands;
    for (const Pdu& request : passing.requests)
      if (request.is(Opcode::scsi_command)) commands.push_back(request);
    if (commands.size() < nth_last) return std::vector{pong};
    Pdu good(Opcode::scsi_response);
    good.set(field::final, 1).set(field::stat_sn, pong[field::stat_sn]);
    good.set(field::exp_cmd_sn, pong[field::exp_cmd_sn]);
    good.set(field::max_cmd_sn, pong[field::max_cmd_sn]);
    good.set(field::initiator_task_tag,
             commands[commands.size() - nth_last][field::initiator_task_tag]);
    return std::vector{good, pong};
  });
}

Mutation write_status(std::uint8_t status) {
  return [=](const Passing& passing) -> std::vector<Pdu> {
    Pdu pdu = passing.pdu;
    const bool written = std::ranges::any_of(passing.requests, [](const Pdu& request) {
      return request.is(Opcode::scsi_command) && request[field::write];
    });
    if (written && pdu.is(Opcode::reject)) return {};
    if (written && pdu.is(Opcode::scsi_response)) {
      pdu.set(field::scsi_status, status);
      pdu.data.clear();
    }
    return {pdu};
  };
}

Mutation in_reply_to(const std::string& key, const TextKeys& keys) {
  return [=](const Passing& passing) {
    Pdu pdu = passing.pdu;
    const bool text = pdu.is(Opcode::login_response) || pdu.is(Opcode::text_response);
    if (text && parse_text(passing.last_request.data).keys.has(key)) pdu.data = encode_text(keys);
    return std::vector{pdu};
  };
}

Mutation proposing(const std::string& key, const std::string& value) {
  return only(Opcode::login_response, [=](Pdu pdu, const Passing& passing) {
    const bool asked = parse_text(passing.last_request.data).keys.has(key);
    TextKeys keys = parse_text(pdu.data).keys;
    if (!asked && !passing.last_request[field::transit] && !keys.has(key)) {
      keys.add(key, value);
      pdu.data = encode_text(keys);
    }
    return std::vector{pdu};
  });
}

Mutation refusing(const std::string& key, std::uint16_t status) {
  return only(Opcode::login_response, [=](Pdu pdu, const Passing& passing) {
    if (parse_text(passing.last_request.data).keys.has(key))
      pdu.set(field::status, status).set(field::transit, 0);
    return std::vector{pdu};
  });
}

Mutation dropping(Opcode opcode) {
  return only(opcode, [](const Pdu&, const Passing&) { return std::vector<Pdu>{}; });
}

Mutation after(Opcode opcode, const Mutation& change) {
  return [=](const Passing& passing) {
    const bool seen = std::ranges::any_of(passing.requests,
                                          [&](const Pdu& request) { return request.is(opcode); });
    return seen ? change(passing) : std::vector{passing.pdu};
  };
}

Mutation telling_the_window(const Bytes& data) {
  return only(Opcode::data_in, [=](const Pdu& pdu, const Passing&) {
    if (!pdu[field::has_status]) return std::vector{pdu};
    Pdu tell(Opcode::nop_in);
    tell.set(field::final, 1).set(field::stat_sn, pdu[field::stat_sn]);
    tell.set(field::initiator_task_tag, kReservedTag);
    tell.set(field::target_transfer_tag, kReservedTag);
    tell.set(field::exp_cmd_sn, pdu[field::exp_cmd_sn]);
    tell.set(field::max_cmd_sn, pdu[field::max_cmd_sn]).data = data;
    return std::vector{tell, pdu};
  });
}

Mutation long_data_in(std::size_t bytes) {
  return with_data(Opcode::data_in, [=](Bytes& data) {
    if (data.size() < bytes) data.resize(bytes);
  });
}

}  // namespace tsih::mutants
