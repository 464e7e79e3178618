"""The solver against a general QP solver on the same two-dimensional problem."""

import numpy as np
import osqp
import pytest
import scipy.sparse as sparse
import torch

from segviz.scaling.attack import operators
from segviz.scaling.kernels import SCALERS
from segviz.scaling.solver import ScalingProblem, Verdict, dual_ascent, solve

EPS = 1.0
SIDE = 32


def problem_of(key: str, side: int, contrast: float, eps: float = EPS) -> ScalingProblem:
    """Noise of full range to be turned into smooth noise whose values reach `contrast` on both sides of the middle."""
    generator = torch.Generator().manual_seed(side)
    source = torch.randint(0, 256, (1, SIDE, SIDE), generator=generator).double()
    noise = torch.rand(1, 1, side, side, generator=generator, dtype=torch.float64)
    target = 127.5 + contrast * (2 * noise[0] - 1)
    return ScalingProblem(source, target.round(), *operators(SCALERS[key], (SIDE, SIDE), (side, side)), eps)


def by_osqp(problem: ScalingProblem) -> tuple[str, np.ndarray]:
    """Status and picture of the whole problem, every source pixel a variable, without use of its structure."""
    rows = sparse.kron(problem.left.weights.numpy(), problem.right.weights.numpy())
    s, t = problem.source.numpy().ravel(), problem.target.numpy().ravel()
    constraints = sparse.vstack([rows, sparse.eye(s.size)], format="csc")
    low, high = np.concatenate([t - problem.eps, 0 * s]), np.concatenate([t + problem.eps, 0 * s + 255])
    solver = osqp.OSQP()
    solver.setup(sparse.eye(s.size, format="csc"), -s, constraints, low, high, verbose=False, eps_abs=1e-5, eps_rel=1e-7, max_iter=20000)
    result = solver.solve(raise_error=False)
    return result.info.status, result.x


@pytest.mark.parametrize("side", [8, 12])
@pytest.mark.parametrize("key", SCALERS)
def test_agrees_with_a_qp_solver(key, side):
    problem = problem_of(key, side, contrast=40)
    *_, last = solve(problem)
    status, x = by_osqp(problem)
    assert status == "solved"
    assert last.verdict is Verdict.OPTIMAL
    assert last.violation.max() < 0.005
    assert last.image.min() >= 0
    assert last.image.max() <= 255
    best = np.linalg.norm(x - problem.source.numpy().ravel())
    assert best > 100
    assert (last.image - problem.source).norm().item() == pytest.approx(best, rel=1e-3)


def test_agrees_where_many_values_end_at_0_and_255():
    """Targets near black and white, which most source values of a patch must join."""
    problem = problem_of("opencv-area", 8, contrast=127)
    *_, last = solve(problem)
    status, x = by_osqp(problem)
    assert status == "solved"
    assert ((last.image == 0) | (last.image == 255)).double().mean() > 0.2
    assert (last.image - problem.source).norm().item() == pytest.approx(np.linalg.norm(x - problem.source.numpy().ravel()), rel=1e-3)


def test_both_ways_agree_where_kernels_do_not_overlap():
    problem = problem_of("opencv-cubic", 8, contrast=100)
    assert problem.disjoint
    *_, exact = solve(problem)
    *_, dual = dual_ascent(problem, lambda: False)
    assert dual.verdict is Verdict.OPTIMAL
    assert (exact.image - dual.image).abs().max() < 0.1


def test_no_solution_is_proved():
    """Neighbours share pixels in an antialiased kernel: black cannot stand next to white."""
    problem = problem_of("pillow-linear", 8, contrast=0)
    target = 255 * (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).double()[None]
    hard = ScalingProblem(problem.source, target, problem.left, problem.right, EPS)
    *_, last = solve(hard)
    assert last.verdict is Verdict.INFEASIBLE
    assert last.violation.max() > 10
    assert by_osqp(hard)[0] == "primal infeasible"
    wide = ScalingProblem(problem.source, target, problem.left, problem.right, 127.0)
    *_, last = solve(wide)
    assert last.verdict is Verdict.OPTIMAL


@pytest.mark.parametrize("key", ["opencv-nearest", "opencv-cubic", "pillow-lanczos"])
def test_nothing_changes_with_all_the_slack(key):
    problem = problem_of(key, 12, contrast=127, eps=255.0)
    *_, last = solve(problem)
    assert torch.equal(last.image, problem.source)


def test_stops_with_what_it_has():
    problem = problem_of("pillow-cubic", 12, contrast=40)
    looks = list(solve(problem, stopped=lambda: True))
    assert [look.verdict for look in looks] == [Verdict.STOPPED]
    assert looks[0].violation.max() > 1
