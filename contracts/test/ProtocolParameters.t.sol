// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Parameter, ProtocolParameters} from "../src/ProtocolParameters.sol";
import {Protocol} from "./support/Protocol.sol";

contract ProtocolParametersTest is Protocol {
    function testFuzz_everyParameterStaysWithinItsBounds(uint8 number, uint256 value) public {
        Parameter parameter = Parameter(bound(number, 0, uint256(type(Parameter).max)));
        (uint256 min, uint256 max) = parameters.bounds(parameter);
        uint256 before = parameters.get(parameter);
        bool allowed = value >= min && value <= max;
        vm.prank(address(timelock));
        if (!allowed) {
            vm.expectRevert(
                abi.encodeWithSelector(ProtocolParameters.OutOfBounds.selector, parameter, value, min, max)
            );
        }
        parameters.set(parameter, value);
        vm.assertEq(parameters.get(parameter), allowed ? value : before, "value");
    }

    function testFuzz_boundsThemselvesAreAllowed(uint8 number) public {
        Parameter parameter = Parameter(bound(number, 0, uint256(type(Parameter).max)));
        (uint256 min, uint256 max) = parameters.bounds(parameter);
        setParameter(parameter, min);
        vm.assertEq(parameters.get(parameter), min, "least");
        setParameter(parameter, max);
        vm.assertEq(parameters.get(parameter), max, "most");
    }

    function testFuzz_whatWasInForceStaysKnown(uint8 number, uint256[5] memory values, uint32[5] memory waits) public {
        Parameter parameter = Parameter(bound(number, 0, uint256(type(Parameter).max)));
        (uint256 min, uint256 max) = parameters.bounds(parameter);
        uint256[5] memory times;
        for (uint256 index = 0; index < 5; ++index) {
            // Several changes within one second count as the last of them.
            vm.warp(block.timestamp + bound(waits[index], 0, 30 days));
            values[index] = bound(values[index], min, max);
            setParameter(parameter, values[index]);
            times[index] = block.timestamp;
        }
        vm.warp(block.timestamp + 1);
        for (uint256 index = 0; index < 5; ++index) {
            uint256 end = index == 4 ? block.timestamp : times[index + 1];
            if (end == times[index]) continue;
            vm.assertEq(parameters.getAt(parameter, times[index]), values[index], "from its second on");
            vm.assertEq(parameters.getAt(parameter, end - 1), values[index], "until the next");
        }
        vm.assertEq(parameters.get(parameter), values[4], "and now the last");
    }

    function test_onlyTimesThatAreOverAreAnswered() public {
        vm.expectRevert(
            abi.encodeWithSelector(ProtocolParameters.TimeNotPast.selector, block.timestamp, block.timestamp)
        );
        parameters.getAt(Parameter.FeeBps, block.timestamp);
        vm.expectRevert(
            abi.encodeWithSelector(ProtocolParameters.NothingInForce.selector, Parameter.FeeBps, GENESIS - 1)
        );
        parameters.getAt(Parameter.FeeBps, GENESIS - 1);
        setParameter(Parameter.FeeBurnShareBps, 0);
        vm.warp(GENESIS + 1);
        vm.assertEq(parameters.getAt(Parameter.FeeBurnShareBps, GENESIS), 0, "zero is a value");
    }

    function test_theFeeIsBetweenOneAndFivePercent() public view {
        (uint256 min, uint256 max) = parameters.bounds(Parameter.FeeBps);
        vm.assertEq(min, 100, "least");
        vm.assertEq(max, 500, "most");
    }

    function testFuzz_burnedAndValidatorsShareAreNeverMoreThanTheFee(bool[6] memory burns, uint256[6] memory values)
        public
    {
        for (uint256 index = 0; index < 6; ++index) {
            Parameter parameter = burns[index] ? Parameter.FeeBurnShareBps : Parameter.FeeValidatorShareBps;
            Parameter other = burns[index] ? Parameter.FeeValidatorShareBps : Parameter.FeeBurnShareBps;
            (, uint256 most) = parameters.bounds(parameter);
            uint256 value = bound(values[index], 0, most);
            uint256 rest = parameters.get(other);
            vm.prank(address(timelock));
            if (value + rest > 10_000) {
                (uint256 burn, uint256 validators) = burns[index] ? (value, rest) : (rest, value);
                vm.expectRevert(
                    abi.encodeWithSelector(ProtocolParameters.FeeSharesAboveWhole.selector, burn, validators)
                );
            }
            parameters.set(parameter, value);
            uint256 both =
                parameters.get(Parameter.FeeBurnShareBps) + parameters.get(Parameter.FeeValidatorShareBps);
            vm.assertLe(both, 10_000, "both together");
        }
    }

    function test_theWholeFeeCanBeShared() public {
        setParameter(Parameter.FeeValidatorShareBps, 5_000);
        setParameter(Parameter.FeeBurnShareBps, 5_000);
        vm.prank(address(timelock));
        vm.expectRevert(abi.encodeWithSelector(ProtocolParameters.FeeSharesAboveWhole.selector, 5_001, 5_000));
        parameters.set(Parameter.FeeBurnShareBps, 5_001);
    }

    function testFuzz_onlyTheTimelockSets(address caller) public {
        vm.assume(caller != address(timelock));
        vm.prank(caller);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, bytes32(0))
        );
        parameters.set(Parameter.FeeBps, 300);
    }

    function test_deploymentGivesEveryValue() public {
        vm.expectRevert(abi.encodeWithSelector(ProtocolParameters.WrongNumberOfValues.selector, 1, 17));
        new ProtocolParameters(address(timelock), new uint256[](1));
    }
}
