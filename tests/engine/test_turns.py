"""Fair turns, counted in virtual time."""

from segviz.engine.turns import Turns


def serve(turns: Turns, costs: dict[str, float], until: float) -> tuple[dict[str, float], list[str]]:
    """Advance until so much time is spent; the time that each run had, and the order of the steps."""
    had, order = dict.fromkeys(costs, 0.0), []
    while sum(had.values()) < until:
        run = turns.next()
        turns.charge(run, costs[run])
        had[run] += costs[run]
        order.append(run)
    return had, order


def test_users_have_equal_time_whatever_a_step_costs():
    turns = Turns()
    turns.add("cheap", "ann")
    turns.add("dear", "bob")
    had, _ = serve(turns, {"cheap": 1, "dear": 10}, 1000)
    assert abs(had["cheap"] - had["dear"]) <= 10


def test_a_user_with_many_runs_has_one_share():
    turns = Turns()
    for number in range(5):
        turns.add(f"a{number}", "ann")
    turns.add("b", "bob")
    had, _ = serve(turns, {**{f"a{number}": 1.0 for number in range(5)}, "b": 1.0}, 600)
    assert abs(had["b"] - 300) <= 5
    assert max(had[f"a{number}"] for number in range(5)) - min(had[f"a{number}"] for number in range(5)) <= 1


def test_the_first_step_of_a_newcomer_comes_before_others_next_ones():
    turns = Turns()
    costs = {str(number): 1.0 for number in range(30)}
    turns.add("0", "0")
    serve(turns, costs, 50)
    for number in range(1, 30):
        turns.add(str(number), str(number))
    _, order = serve(turns, costs, 59)
    assert order[:29] == [str(number) for number in range(1, 30)]
    assert sorted(order[29:], key=int) == [str(number) for number in range(30)]


def test_many_new_runs_of_one_user_do_not_hold_up_the_others():
    turns = Turns()
    turns.add("b", "bob")
    turns.charge("b", 1)
    for number in range(10):
        turns.add(f"a{number}", "ann")
    _, order = serve(turns, {**{f"a{number}": 1.0 for number in range(10)}, "b": 1.0}, 4)
    assert order.count("b") >= 2


def test_who_comes_back_has_neither_saved_up_nor_lost_time():
    turns = Turns()
    turns.add("a", "ann")
    turns.add("b", "bob")
    serve(turns, {"a": 1, "b": 1}, 100)
    turns.remove("a")
    serve(turns, {"b": 1}, 100)
    turns.add("again", "ann")
    had, _ = serve(turns, {"again": 1, "b": 1}, 20)
    assert abs(had["again"] - had["b"]) <= 1


def test_a_run_that_changes_hands_is_charged_to_its_new_owner():
    turns = Turns()
    turns.add("shared", "ann")
    turns.add("b", "bob")
    serve(turns, {"shared": 1, "b": 1}, 10)
    turns.assign("shared", "cat")
    had, _ = serve(turns, {"shared": 1, "b": 1}, 20)
    assert abs(had["shared"] - had["b"]) <= 1
