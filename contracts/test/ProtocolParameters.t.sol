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

    function test_theFeeIsBetweenOneAndFivePercent() public view {
        (uint256 min, uint256 max) = parameters.bounds(Parameter.FeeBps);
        vm.assertEq(min, 100, "least");
        vm.assertEq(max, 500, "most");
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
        vm.expectRevert(abi.encodeWithSelector(ProtocolParameters.WrongNumberOfValues.selector, 1, 16));
        new ProtocolParameters(address(timelock), new uint256[](1));
    }
}
