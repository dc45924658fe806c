"""Two machines with one identity and one disk: who is served, who is refused, what lands.

A virtual machine was restored twice, or restored while the first still ran. Both have the same
initiator name, hence the same ISID (open-iscsi's is a fixed prefix and a session counter), and both
write to the same LUN. With the target's session guard on at most one of them may be served at a
time, and no write of the loser may land after the winner's first command.
"""

import pytest

GUARDS = pytest.mark.parametrize("guard", ["reject", "fence"])
PROBE_MS = 1000
# A machine that is alive answers at once; on a busy host it may take its time, and is not dead.
PATIENT_PROBE_MS = 10000
SERVICE_UNAVAILABLE = 0x0302
REINSTATEMENTS_OF_A_DISASTER = 4


def first_is_writing(story, duel, guard, probe_ms=PROBE_MS, keeps_its_disk=False):
    story.step(f"The target serves one LUN; max_sessions 1, session_guard {guard}")
    duel.serve(max_sessions=1, session_guard=guard, guard_probe_ms=probe_ms)
    if keeps_its_disk:
        duel.be_patient(duel.one)
    story.step("The first machine logs in and writes numbered records, one after another")
    duel.enter(duel.one)
    duel.one.start_writing()


def second_takes_over(story, duel, records=10):
    """The second machine comes in, looks at what the first has written, and writes itself."""
    story.step("The second machine, a clone, logs in")
    duel.enter(duel.two)
    seen = duel.seen_by(duel.two, duel.one)
    story.step("The second machine writes records of its own")
    duel.two.start_writing(records)
    return seen


def first_must_fail(story, duel, records=10):
    story.step("The first machine is refused; its writer is told that the disk is gone")
    duel.one.wait_failed()
    duel.two.wait_written(duel.two.written() + records)


def judge_winner(story, duel, seen):
    """The second machine has won: the order on the wire and the disk itself are the evidence."""
    wire, one, two = duel.wire, duel.one, duel.two
    logins = wire.logins(two.ip)
    assert logins, "the capture has no login of the second machine"
    asked = next(p for p in wire.pdus if p.source == two.ip and p.is_first_login)
    story.metric("takeover_ms", (logins[0].t_ns - asked.t_ns) / 1e6)
    first = wire.first_command(two.ip, logins[0].t_ns)
    evidence = {"file": "capture.pcapng", "frame": first.frame}
    story.judge(len(logins) == 1 and not two.has_failed(), property="winner_is_served",
                passed="the winner was served all the time, in one session",
                failed=f"expected one session of the winner without an error, got {len(logins)} "
                       f"logins, writer {'failed' if two.has_failed() else 'well'}",
                evidence=evidence)
    late_logins = [p for p in wire.logins(one.ip) if p.t_ns > logins[0].t_ns]
    refusals = [p for p in wire.refusals(one.ip) if p.t_ns > logins[0].t_ns]
    story.metric("refused_logins", len(refusals))
    story.judge(not late_logins, property="one_living_machine",
                passed=f"the loser was not let in again; {len(refusals)} logins refused",
                failed=f"expected no login of the loser, got {len(late_logins)}",
                evidence={"file": "capture.pcapng",
                          "frame": (late_logins or refusals or [first])[0].frame})
    judge_no_late_write(story, duel, seen, first)


def judge_no_late_write(story, duel, seen, first):
    one = duel.one
    duel.two.stop_writing()
    writes = duel.wire.writes(one.ip)
    late_answers = [answer for _, answer in writes if answer and answer.t_ns > first.t_ns]
    sent_before = {w.lba - one.first_block for w, _ in writes if w.t_ns < first.t_ns}
    acknowledged = {w.lba - one.first_block for w, answer in writes if answer}
    landed = duel.on_disk(one)
    story.metric("loser_records_on_disk", len(landed))
    evidence = {"file": "capture.pcapng", "frame": first.frame}
    story.judge(not late_answers, property="no_late_write", evidence=evidence,
                passed="no write of the loser was acknowledged after the winner's first command",
                failed=f"expected none, got {len(late_answers)} writes of the loser acknowledged "
                       f"after the winner's first command (frame {first.frame})")
    story.judge(landed <= sent_before and landed == seen, property="no_late_write",
                evidence=evidence,
                passed=f"the disk has the loser's {len(landed)} records that the winner found, and "
                       "not one more",
                failed=f"expected the {len(seen)} records that the winner found, got {len(landed)}; "
                       f"after the winner's first look: {sorted(landed - seen)[:5]}, "
                       f"sent after its first command: {sorted(landed - sent_before)[:5]}")
    lost = sorted(acknowledged - landed)
    story.judge(not lost, property="data_integrity", evidence=evidence,
                passed="every write that was acknowledged to the loser is on the disk",
                failed=f"expected every acknowledged record on the disk, {lost[:5]} are missing")


@pytest.mark.systems("tsihd")
def test_alive_reject(story, duel):
    """The first machine is alive, guard `reject`: the second one is refused."""
    first_is_writing(story, duel, "reject", PATIENT_PROBE_MS, keeps_its_disk=True)
    story.step("The second machine, a clone, tries to log in")
    login = duel.try_to_enter(duel.two)
    wire = duel.wire
    refusals = wire.refusals(duel.two.ip)
    got = f"{refusals[0].login_status:#06x}" if refusals else f"no refusal ({login.words})"
    story.judge(not login.ok and bool(refusals) and refusals[0].login_status == SERVICE_UNAVAILABLE,
                property="one_living_machine",
                passed="the second machine was refused with 0x0302, service unavailable",
                failed=f"expected a refusal with 0x0302, got {got}",
                evidence={"file": "capture.pcapng", "frame": refusals[0].frame} if refusals else None)
    asked = next(p for p in wire.pdus if p.source == duel.two.ip and p.is_first_login)
    story.metric("refusal_ms", (refusals[0].t_ns - asked.t_ns) / 1e6)
    story.step("The first machine has noticed nothing")
    duel.one.wait_written(duel.one.written() + 20)
    wire = duel.wire
    story.judge(len(wire.logins(duel.one.ip)) == 1 and not wire.logins(duel.two.ip)
                and not duel.one.has_failed(), property="winner_is_served",
                passed="the first machine was served all the time, in one session",
                failed=f"expected one session of the first machine and none of the second, got "
                       f"{len(wire.logins(duel.one.ip))} and {len(wire.logins(duel.two.ip))}")
    assert wire.first_command(duel.two.ip) is None


@pytest.mark.systems("tsihd")
def test_alive_fence(story, duel):
    """The first machine is alive, guard `fence`: the second one wins at once, the first is fenced."""
    first_is_writing(story, duel, "fence")
    seen = second_takes_over(story, duel)
    first_must_fail(story, duel)
    story.step("The first machine logs in anew; it is fenced")
    duel.one.initiator.guest.run("iscsiadm -m node -u")
    login = duel.try_to_enter(duel.one)
    refused = duel.wire.refusals(duel.one.ip)
    story.judge(not login.ok and bool(refused), property="one_living_machine",
                passed=f"the fenced machine was refused with {refused[0].login_status:#06x}"
                if refused else "",
                failed=f"expected the fenced machine to be refused, got {login.words}",
                evidence={"file": "capture.pcapng", "frame": refused[0].frame} if refused else None)
    judge_winner(story, duel, seen)


@pytest.mark.systems("tsihd")
@GUARDS
def test_paused(story, duel, guard):
    """The first machine is paused and continued later, guard `{guard}`: the second has taken over."""
    first_is_writing(story, duel, guard)
    story.step("The first machine stops, with a write on its way")
    duel.one.guest.pause()
    seen = second_takes_over(story, duel)
    story.step("The first machine continues, and believes that it is still logged in")
    duel.one.guest.resume()
    first_must_fail(story, duel)
    judge_winner(story, duel, seen)


@pytest.mark.systems("tsihd")
@GUARDS
def test_cut_off(story, duel, guard):
    """The first machine is cut off and healed later, guard `{guard}`: the second has taken over."""
    first_is_writing(story, duel, guard)
    story.step("The first machine's cable is cut; it goes on trying")
    duel.one.guest.cut()
    seen = second_takes_over(story, duel)
    story.step("The cable is healed")
    duel.one.guest.heal()
    first_must_fail(story, duel)
    judge_winner(story, duel, seen)


@pytest.mark.systems("tsihd")
@GUARDS
def test_killed(story, duel, guard):
    """The first machine dies as by a power cut, guard `{guard}`: the second takes over."""
    first_is_writing(story, duel, guard)
    story.step("The first machine loses its power")
    duel.one.guest.kill()
    seen = second_takes_over(story, duel)
    duel.two.wait_written(20)
    judge_winner(story, duel, seen)


@pytest.mark.systems("tsihd")
def test_slow_disk(story, slow_disk, duel):
    """A write of the loser is in a slow disk at the takeover: the winner's login waits for it."""
    story.step(f"The target serves a disk that takes {slow_disk.delay_ms} ms for each write")
    duel.serve(slow_disk.disk, max_sessions=1, session_guard="fence", guard_probe_ms=PROBE_MS)
    story.step("The first machine logs in and writes; one write is always under way")
    duel.enter(duel.one)
    duel.one.start_writing(records=1)
    seen = second_takes_over(story, duel, records=1)
    first_must_fail(story, duel, records=1)
    judge_winner(story, duel, seen)


@pytest.mark.systems("tsihd")
@GUARDS
def test_comes_back(story, lab, machines, duel, guard):
    """A machine that crashed and comes back, guard `{guard}`: its own ghost does not lock it out."""
    first_is_writing(story, duel, guard)
    story.step("The machine crashes; nobody else wants its disk")
    duel.one.guest.kill()
    story.step("It boots again, at the same address")
    duel.one.initiator.guest = lab.guest("one", **machines["one"])
    duel.one.initiator.prepare()
    duel.one.initiator.add_node(duel.target.iqn, duel.target.portal)
    before_ms = story.now_ms()
    login = duel.one.initiator.try_login(duel.target.iqn)
    story.metric("login_ms", story.now_ms() - before_ms)
    story.judge(login.ok, property="not_locked_out", passed="the machine was let in again at once",
                failed=f"expected the machine to be let in again, got {login.words}")


@pytest.mark.systems("lio")
@pytest.mark.control
def test_no_guard(story, duel):
    """Without a guard both are served and evict each other: the disaster that the guard ends."""
    story.step("The target serves one LUN, without a guard")
    duel.serve()
    duel.be_patient(duel.one)
    story.step("The first machine logs in and writes")
    duel.enter(duel.one)
    duel.one.start_writing()
    story.step("The second machine, a clone, logs in and writes")
    duel.enter(duel.two)
    duel.two.start_writing(records=1)
    story.step("Each takes the session from the other, again and again")
    isids = {p.isid.hex() for p in duel.wire.pdus if p.is_first_login}
    assert len(isids) == 1, f"the scene is wrong: expected one ISID of both machines, got {isids}"
    served = duel.watch_sessions(until=REINSTATEMENTS_OF_A_DISASTER)
    story.metric("reinstatements", served.reinstatements)
    story.metric("watched_ms", served.span_ms)
    both = served.first_wrote_after_second and served.second_wrote
    message = (f"expected one living machine to be served, got both: {served.reinstatements} "
               f"reinstatements in {served.span_ms / 1000:.0f} s, writes of both landed")
    story.finding(verdict="violation" if both else "pass", property="one_living_machine",
                  message=message if both else "only one machine was served",
                  evidence={"file": "capture.pcapng", "frame": served.frame})
    assert served.reinstatements >= REINSTATEMENTS_OF_A_DISASTER, "the control shows no disaster"
    assert both, "the control shows no disaster: only one machine was served"
