# The commands of the house; `make help` lists them. Everything is made below build/.
SHELL := /bin/bash
PYTHON := /usr/bin/python3
IMAGE_STAMP := build/image/current

.PHONY: help setup build image check fuzz report bench format clean
help:
	@echo 'make report   set up, boot guests, run scenarios and conformance, write build/report/index.html'
	@echo 'make check    set up, then every test; the last line counts them'
	@echo 'make build    the programs: build/bin/{tsih,tsihd,tsihctl,...}'
	@echo 'make image    the guest image (about a minute, once)'
	@echo 'make fuzz     every fuzzer for FUZZ_SECONDS (600) on the code of the session layer'
	@echo 'make bench    tsihd beside tgt and istgt'
	@echo 'make format   clang-format over our C++'
	@echo 'make clean    remove build/ but the guest image'

setup:
	@tools/setup

build: setup
	@mkdir -p build
	@cmake --preset release >build/.configure.log 2>&1 || { cat build/.configure.log; exit 1; }
	@cmake --build --preset release

image: setup
	@images/build

check: build image
	@$(PYTHON) tools/check

fuzz: setup
	@$(PYTHON) tools/fuzz --seconds $(or $(FUZZ_SECONDS),600)

report: build image
	@$(PYTHON) tools/report

bench: build image
	@$(PYTHON) tools/bench

format:
	@git ls-files -co --exclude-standard '*.h' '*.cpp' | xargs clang-format -i

clean:
	@[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name image -exec rm -rf {} +
