from voxbus.common.run import run
from voxbus.scheduler.service import build
from voxbus.scheduler.settings import SchedulerSettings

if __name__ == "__main__":
    run("scheduler", SchedulerSettings, build)
