"""Prints the scalars of a TensorBoard folder as TensorBoard reads them: lines `tag step value`."""

import sys

from tensorboard.backend.event_processing import event_accumulator


def main():
    events = event_accumulator.EventAccumulator(sys.argv[1])
    events.Reload()
    for tag in sorted(events.Tags()["scalars"]):
        for scalar in events.Scalars(tag):
            print(tag, scalar.step, f"{scalar.value:.6g}")


if __name__ == "__main__":
    main()
