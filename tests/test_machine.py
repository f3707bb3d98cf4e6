"""Cores and memory of the container around, by the files in which Linux keeps them."""

import os
import subprocess
import sys

import psutil
import pytest

import subgoal
from subgoal import machine
from subgoal.machine import cores, free_memory, is_alive, made_with, used_memory

MB = 2**20


@pytest.fixture
def container(tmp_path, monkeypatch):
    """A machine of 8 cores and 1,000 free MB; returns what writes the files of its container."""
    monkeypatch.setattr(machine, "_ROOT", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(f"MemFree: 7 kB\nMemAvailable: {1000 * 1024} kB\n")

    def write(member, **files):
        (tmp_path / "proc/self").mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc/self/cgroup").write_text(member)
        for name, text in files.items():
            file = tmp_path / "sys/fs/cgroup" / name.replace("__", "/").replace("_DOT_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return write


def test_without_a_container_the_machine_is_all_there_is(container):
    assert (cores(), free_memory()) == (8, 1000 * MB)
    container("0::/\n")
    assert (cores(), free_memory()) == (8, 1000 * MB)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("20000 100000", 1)],
)
def test_version_2_gives_a_quota_of_time(container, quota, expected):
    container("0::/\n", cpu_DOT_max=quota)
    assert cores() == expected


def test_a_set_of_cores_holds_beside_a_quota(container, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    container("0::/\n", cpu_DOT_max="400000 100000")
    assert cores() == 1


def test_every_group_above_holds_too(container):
    container(
        "0::/user/job\n",
        user__job__cpu_DOT_max="max 100000",
        user__cpu_DOT_max="300000 100000",
        cpu_DOT_max="600000 100000",
    )
    assert cores() == 3


def test_version_1_has_a_tree_for_each_kind(container):
    container(
        "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n",
        **{
            "cpu,cpuacct__cpu_DOT_cfs_quota_us": "250000",
            "cpu,cpuacct__cpu_DOT_cfs_period_us": "100000",
            "memory__memory_DOT_limit_in_bytes": str(600 * MB),
            "memory__memory_DOT_usage_in_bytes": str(500 * MB),
            "memory__memory_DOT_stat": f"cache 1\ntotal_inactive_file {300 * MB}\n",
        },
    )
    assert (cores(), free_memory()) == (3, 400 * MB)


def test_version_1_without_limits_is_the_machine(container):
    container(
        "4:memory:/\n1:cpu:/\n",
        cpu__cpu_DOT_cfs_quota_us="-1",
        cpu__cpu_DOT_cfs_period_us="100000",
        memory__memory_DOT_limit_in_bytes=str(2**63 - 4096),
        memory__memory_DOT_usage_in_bytes=str(500 * MB),
        memory__memory_DOT_stat="total_inactive_file 0\n",
    )
    assert (cores(), free_memory()) == (8, 1000 * MB)


def test_what_was_read_from_files_is_free(container):
    container(
        "0::/\n",
        memory_DOT_max=str(512 * MB),
        memory_DOT_current=str(500 * MB),
        memory_DOT_stat=f"anon {100 * MB}\ninactive_file {380 * MB}\nfile {400 * MB}\n",
    )
    assert free_memory() == 392 * MB


def test_both_versions_at_once(container):
    container(
        "1:cpu:/\n0::/\n",
        unified__cpu_DOT_max="500000 100000",
        cpu__cpu_DOT_cfs_quota_us="100000",
        cpu__cpu_DOT_cfs_period_us="100000",
    )
    assert cores() == 1


def test_files_that_make_no_sense_are_passed_over(container):
    container("what\n", cpu_DOT_max="0 0", memory_DOT_max="lots")
    assert (cores(), free_memory()) == (8, 1000 * MB)
    container("0::/\n", cpu_DOT_max="100000 0")
    assert cores() == 8


def test_what_is_asked_of_the_system_is_what_psutil_says():
    assert free_memory() <= 1.5 * psutil.virtual_memory().available
    held = psutil.Process().memory_info().rss
    assert held / 2 < used_memory(os.getpid()) < 2 * held


def test_a_process_is_alive_until_it_has_ended():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert is_alive(process.pid)
        process.communicate(b"\n")
    assert not is_alive(process.pid)
    assert used_memory(process.pid) == 0
    assert not is_alive(2**70)


def test_what_decides_the_bits_of_a_result_is_named():
    found = made_with()
    assert found == made_with()
    assert found["subgoal"].startswith(f"{subgoal.__version__} (source ")
    assert {"python", "torch", "numpy", "processor"} <= found.keys()
