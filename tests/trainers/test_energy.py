import pytest

from trainers.energy import EnergyMeter


@pytest.fixture
def powercap(tmp_path):
    """A machine with one package of 100 J a turn, and its parts, as the kernel shows them."""
    names = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram", "intel-rapl:1": "psys"}
    names["intel-rapl-mmio:0"] = "package-0"  # the same package by another way
    for zone, name in names.items():
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "name").write_text(f"{name}\n")
        (tmp_path / zone / "max_energy_range_uj").write_text("100000000\n")
        turn_to(tmp_path, zone, 50)
    return tmp_path


def turn_to(powercap, zone, joules):
    (powercap / zone / "energy_uj").write_text(f"{joules * 1_000_000}\n")


def test_packages_and_memory_count_once_each(powercap):
    meter = EnergyMeter(powercap)
    assert meter.sources == ["package-0 (intel-rapl:0)", "dram (intel-rapl:0:1)"]
    assert meter.joules() == 0
    for zone in powercap.iterdir():
        turn_to(powercap, zone.name, 58)
    assert meter.joules() == 16
    assert meter.joules() == 16


def test_a_counter_that_begins_again_at_zero_goes_on(powercap):
    meter = EnergyMeter(powercap)
    turn_to(powercap, "intel-rapl:0", 20)
    assert meter.joules() == 70
    turn_to(powercap, "intel-rapl:0", 10)
    assert meter.joules() == 160


def test_counters_are_followed_between_readings(powercap, monkeypatch):
    monkeypatch.setattr("trainers.energy._SECONDS_BETWEEN_SAMPLES", 0.0)
    meter = EnergyMeter(powercap)
    for joules in (0, 60, 20):
        turn_to(powercap, "intel-rapl:0", joules)
        meter.sample()
    assert meter.joules() == 170


def test_what_may_not_be_read_is_left_out(powercap):
    (powercap / "intel-rapl:0" / "energy_uj").unlink()
    (powercap / "intel-rapl:0" / "energy_uj").mkdir()  # root may read any file
    assert EnergyMeter(powercap).sources == ["dram (intel-rapl:0:1)"]


def test_a_machine_without_counters_has_no_joules(tmp_path):
    meter = EnergyMeter(tmp_path / "nothing")
    assert meter.joules() is None and meter.sources == []


def test_a_counter_that_fails_under_way_ends_the_measurement_and_not_the_training(powercap):
    meter = EnergyMeter(powercap)
    (powercap / "intel-rapl:0" / "energy_uj").unlink()
    assert meter.joules() is None
    assert meter.joules() is None
