// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Parameter} from "../src/ProtocolParameters.sol";
import {Role, Staking} from "../src/Staking.sol";
import {Protocol} from "./support/Protocol.sol";

contract StakingTest is Protocol {
    Role private constant OPERATOR = Role.NodeOperator;
    uint256 private constant OWN = 10_000 ether;

    address private operator = actor("operator");
    address private delegator = actor("delegator");

    function setUp() public override {
        super.setUp();
        fund(operator, 1_000_000 ether);
        fund(delegator, 1_000_000 ether);
        vm.prank(operator);
        staking.register(OPERATOR, "operator", OWN);
    }

    function test_rolesAreSeparate() public {
        vm.assertTrue(staking.isActive(OPERATOR, operator), "an operator");
        vm.assertTrue(!staking.isActive(Role.Validator, operator), "no validator");
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Staking.StakeTooLow.selector, OWN - 1, OWN));
        staking.register(Role.Validator, "validator", OWN - 1);
        vm.prank(operator);
        staking.register(Role.Validator, "validator", OWN);
        vm.assertEq(staking.totalStaked(), 2 * OWN, "both");
        vm.assertEq(staking.minimumOf(Role.Validator), OWN, "minimum");
    }

    function test_registeringTwiceOrWithoutASubjectIsRefused() public {
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(Staking.AlreadyRegistered.selector, OPERATOR, operator));
        staking.register(OPERATOR, "operator", OWN);
        vm.expectRevert(Staking.NoSubject.selector);
        staking.register(Role.Validator, 0, OWN);
        vm.stopPrank();
    }

    function test_delegationNeedsARegisteredProviderWithItsOwnStake() public {
        vm.startPrank(delegator);
        vm.expectRevert(abi.encodeWithSelector(Staking.NotRegistered.selector, OPERATOR, delegator));
        staking.stake(OPERATOR, delegator, 1 ether);
        vm.expectRevert(Staking.NoAmount.selector);
        staking.stake(OPERATOR, operator, 0);
        vm.stopPrank();
        vm.prank(operator);
        staking.unbond(OPERATOR, operator, OWN - 1 ether);
        vm.prank(delegator);
        vm.expectRevert(abi.encodeWithSelector(Staking.StakeTooLow.selector, 1 ether, 1_000 ether));
        staking.stake(OPERATOR, operator, 1 ether);
    }

    function test_delegationIsLimitedByTheProvidersOwnStake() public {
        vm.startPrank(delegator);
        staking.stake(OPERATOR, operator, 10 * OWN);
        vm.expectRevert(abi.encodeWithSelector(Staking.DelegationTooHigh.selector, 11 * OWN + 1, 11 * OWN));
        staking.stake(OPERATOR, operator, 1);
        vm.stopPrank();
        vm.assertEq(staking.activeStake(OPERATOR, operator), 11 * OWN, "active");
        vm.assertEq(staking.stakeOf(OPERATOR, operator, delegator), 10 * OWN, "delegated");
    }

    function testFuzz_stakeLeavesAfterTheDelayAndNotBefore(uint256 amount, uint32 early) public {
        amount = bound(amount, 1, OWN);
        vm.prank(operator);
        uint256 bucket = staking.unbond(OPERATOR, operator, amount);
        uint64 maturesAt = staking.bucketOf(OPERATOR, operator, bucket).maturesAt;
        vm.assertGe(maturesAt, GENESIS + 21 days, "the whole delay");
        vm.warp(bound(early, GENESIS, maturesAt - 1));
        vm.startPrank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(Staking.NothingToWithdraw.selector, OPERATOR, operator, bucket, operator)
        );
        staking.withdraw(OPERATOR, operator, bucket);
        vm.warp(maturesAt);
        vm.assertEq(staking.withdraw(OPERATOR, operator, bucket), amount, "withdrawn");
        vm.expectRevert(
            abi.encodeWithSelector(Staking.NothingToWithdraw.selector, OPERATOR, operator, bucket, operator)
        );
        staking.withdraw(OPERATOR, operator, bucket);
        vm.stopPrank();
        vm.assertEq(token.balanceOf(address(staking)), OWN - amount, "what stays");
    }

    function test_oneDayIsOneBucketAndAShorterDelayNeverOvertakes() public {
        vm.startPrank(operator);
        vm.assertEq(staking.unbond(OPERATOR, operator, 1 ether), 0, "first");
        vm.assertEq(staking.unbond(OPERATOR, operator, 1 ether), 0, "the same day");
        vm.stopPrank();
        setParameter(Parameter.UnbondingSeconds, 7 days);
        vm.startPrank(operator);
        vm.assertEq(staking.unbond(OPERATOR, operator, 1 ether), 0, "not before the first");
        vm.warp(GENESIS + 30 days);
        vm.assertEq(staking.unbond(OPERATOR, operator, 1 ether), 1, "another day");
        vm.stopPrank();
        vm.assertEq(staking.bucketCount(OPERATOR, operator), 2, "buckets");
        vm.assertEq(staking.leavingOf(OPERATOR, operator, 0, operator), 3 ether, "shares");
    }

    function test_unbondingMoreThanHeldIsRefused() public {
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(Staking.InsufficientStake.selector, OWN + 1, OWN));
        staking.unbond(OPERATOR, operator, OWN + 1);
        vm.expectRevert(Staking.NoAmount.selector);
        staking.unbond(OPERATOR, operator, 0);
        staking.unbond(OPERATOR, operator, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(Staking.InsufficientStake.selector, type(uint256).max, 0));
        staking.unbond(OPERATOR, operator, type(uint256).max);
        vm.stopPrank();
    }

    function testFuzz_aSlashTakesActiveAndUnbondingStakeAlike(uint256 leaving, uint16 fractionBps) public {
        leaving = bound(leaving, 1 ether, OWN);
        fractionBps = uint16(bound(fractionBps, 1, 5_000));
        vm.prank(operator);
        uint256 bucket = staking.unbond(OPERATOR, operator, leaving);
        uint256 supply = token.totalSupply();
        uint256 taken = _slash(fractionBps);

        vm.assertLe(taken, (OWN * fractionBps) / 10_000 + 1, "at most the fraction");
        vm.assertGe(taken + 2, (OWN * fractionBps) / 10_000, "no less, but for rounding");
        uint256 toReporter = taken / 10;
        uint256 burned = (taken - toReporter) / 2;
        vm.assertEq(token.balanceOf(reviewer), toReporter, "the reporter's share");
        vm.assertEq(supply - token.totalSupply(), burned, "burned");
        vm.assertEq(token.balanceOf(address(treasury)), TREASURY + taken - toReporter - burned, "the rest");

        vm.warp(GENESIS + 30 days);
        vm.startPrank(operator);
        uint256 back = staking.withdraw(OPERATOR, operator, bucket);
        if (leaving < OWN) {
            uint256 last = staking.unbond(OPERATOR, operator, type(uint256).max);
            vm.warp(GENESIS + 60 days);
            back += staking.withdraw(OPERATOR, operator, last);
        }
        vm.stopPrank();
        vm.assertLe(back + taken, OWN, "never more than came in");
        vm.assertGe(back + taken + 4, OWN, "nothing is lost, but for rounding");
    }

    function test_whatWasReleasedIsNotSlashed() public {
        vm.prank(operator);
        uint256 bucket = staking.unbond(OPERATOR, operator, 4_000 ether);
        vm.warp(GENESIS + 22 days);
        vm.assertEq(_slash(5_000), 3_000 ether, "half of what is left");
        vm.prank(operator);
        vm.assertEq(staking.withdraw(OPERATOR, operator, bucket), 4_000 ether, "whole");
    }

    function test_anOpenCaseHoldsBackWhatMatures() public {
        vm.prank(operator);
        uint256 bucket = staking.unbond(OPERATOR, operator, 4_000 ether);
        vm.warp(GENESIS + 10 days);
        vm.prank(address(slashing));
        staking.openCase(OPERATOR, operator);
        vm.warp(GENESIS + 30 days);
        vm.prank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(Staking.NothingToWithdraw.selector, OPERATOR, operator, bucket, operator)
        );
        staking.withdraw(OPERATOR, operator, bucket);
        vm.startPrank(address(slashing));
        staking.slash(OPERATOR, operator, 5_000, reviewer);
        staking.closeCase(OPERATOR, operator);
        vm.stopPrank();
        vm.prank(operator);
        vm.assertEq(staking.withdraw(OPERATOR, operator, bucket), 2_000 ether, "half");
    }

    function test_slashingIsBoundedAndNeedsACase() public {
        vm.startPrank(address(slashing));
        vm.expectRevert(abi.encodeWithSelector(Staking.NoOpenCase.selector, OPERATOR, operator));
        staking.slash(OPERATOR, operator, 100, reviewer);
        vm.expectRevert(abi.encodeWithSelector(Staking.NoOpenCase.selector, OPERATOR, operator));
        staking.closeCase(OPERATOR, operator);
        staking.openCase(OPERATOR, operator);
        vm.expectRevert(abi.encodeWithSelector(Staking.FractionOutOfBounds.selector, 5_001, 5_000));
        staking.slash(OPERATOR, operator, 5_001, reviewer);
        vm.expectRevert(abi.encodeWithSelector(Staking.FractionOutOfBounds.selector, 0, 5_000));
        staking.slash(OPERATOR, operator, 0, reviewer);
        for (uint256 number = 1; number < staking.MAX_OPEN_CASES(); ++number) staking.openCase(OPERATOR, operator);
        vm.expectRevert(abi.encodeWithSelector(Staking.TooManyCases.selector, OPERATOR, operator, 8));
        staking.openCase(OPERATOR, operator);
        vm.stopPrank();
    }

    function test_anExhaustedProviderTakesNoMoreStake() public {
        vm.startPrank(address(slashing));
        staking.openCase(OPERATOR, operator);
        for (uint256 number = 0; number < 30; ++number) staking.slash(OPERATOR, operator, 5_000, reviewer);
        vm.stopPrank();
        uint256 factor = staking.providerOf(OPERATOR, operator).factor;
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Staking.ProviderExhausted.selector, OPERATOR, operator, factor));
        staking.stake(OPERATOR, operator, OWN);
    }

    function testFuzz_stakeThatCameAfterASlashIsWorthWhatWasPaid(uint256 amount, uint16 fractionBps) public {
        amount = bound(amount, 1, 5 * OWN);
        _slash(bound(fractionBps, 1, 5_000));
        vm.prank(delegator);
        staking.stake(OPERATOR, operator, amount);
        uint256 worth = staking.stakeOf(OPERATOR, operator, delegator);
        vm.assertLe(worth, amount, "never more");
        vm.assertGe(worth + 1, amount, "no less, but for rounding");
    }

    function testFuzz_onlyTheCourtSlashes(address caller) public {
        vm.assume(caller != address(slashing));
        bytes memory refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, caller, staking.SLASHER_ROLE()
        );
        vm.startPrank(caller);
        vm.expectRevert(refusal);
        staking.openCase(OPERATOR, operator);
        vm.expectRevert(refusal);
        staking.slash(OPERATOR, operator, 100, caller);
        vm.expectRevert(refusal);
        staking.closeCase(OPERATOR, operator);
        vm.stopPrank();
    }

    function test_neitherProxyNorCodeIsInitializedAgain() public {
        Staking code = new Staking();
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        code.initialize(token, parameters, address(treasury), holder, holder);
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        staking.initialize(token, parameters, address(treasury), holder, holder);
    }

    function _slash(uint256 fractionBps) private returns (uint256 taken) {
        vm.startPrank(address(slashing));
        staking.openCase(OPERATOR, operator);
        taken = staking.slash(OPERATOR, operator, fractionBps, reviewer);
        staking.closeCase(OPERATOR, operator);
        vm.stopPrank();
    }
}
