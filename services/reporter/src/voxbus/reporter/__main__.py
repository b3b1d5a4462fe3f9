from voxbus.common.run import run
from voxbus.reporter.service import build
from voxbus.reporter.settings import ReporterSettings

if __name__ == "__main__":
    run("reporter", ReporterSettings, build)
